import type { IpAddress } from '@trafficcopy/core';
import { type InterceptConfig, interceptConfig } from '@trafficcopy/daemonset-intercept/config';
import {
  buildCommand,
  clockFinding,
  kernelFinding,
  nodeFinding,
  openFilesFinding,
  THIS_HOST,
  UsageError,
} from '@trafficcopy/runtime';
import { type CopyConfig, copyConfig } from '@trafficcopy/sidecar-copy/config';
import type { Command } from 'commander';
import { DOCTOR_COMMAND, DOCTOR_COPY_COMMAND, DOCTOR_INTERCEPT_COMMAND } from './doctor-flags.js';
import { type Chapter, writeDoctorReport } from './doctor-report.js';

export interface DoctorEnvironment {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: { write(text: string): unknown };
  readonly hostAddresses: () => IpAddress[];
  readonly onEnd: (exitCode: number) => void;
}

/** `trafficcopy doctor`, `doctor copy` and `doctor intercept`. */
export function doctorCommand({ env, stdout, hostAddresses, onEnd }: DoctorEnvironment): Command {
  const end = (chapters: readonly Chapter[], isJson: boolean): void =>
    onEnd(writeDoctorReport(chapters, isJson, stdout));
  const doctor = buildCommand(DOCTOR_COMMAND, env, async ({ json, clients }) => {
    end([await hostChapter(), await copyChapter(undefined), await interceptChapter(undefined, clients)], json);
  });
  const copy = buildCommand(DOCTOR_COPY_COMMAND, env, async (values) => {
    refuse(values);
    const isBare = values.map.length === 0 && values.intercept.length === 0;
    const config = isBare ? undefined : copyConfig(values, hostAddresses());
    end([await hostChapter(), await copyChapter(config)], values.json);
  });
  const intercept = buildCommand(DOCTOR_INTERCEPT_COMMAND, env, async (values) => {
    refuse(values);
    end([await hostChapter(), await interceptChapter(interceptConfig(values), values.clients)], values.json);
  });
  return doctor.usage('[copy | intercept] [flags]').enablePositionalOptions().addCommand(copy).addCommand(intercept);
}

function refuse({ operator, check }: { readonly operator: unknown; readonly check: boolean }): void {
  if (check) throw new UsageError('--check: doctor does nothing else: leave it out');
  if (operator === undefined) return;
  throw new UsageError('--operator: a cluster is looked at by "kubectl trafficcopy doctor"');
}

async function hostChapter(): Promise<Chapter> {
  const findings = [
    nodeFinding(process.versions.node),
    kernelFinding(THIS_HOST.read('/proc/sys/kernel/osrelease')),
    await clockFinding(THIS_HOST),
    openFilesFinding(THIS_HOST.read('/proc/self/limits')),
  ];
  return { title: 'this host', findings };
}

async function copyChapter(config: CopyConfig | undefined): Promise<Chapter> {
  const { copyEdges, copyFindings } = await import('@trafficcopy/sidecar-copy/doctor');
  const edges = await copyEdges({ capture: 'native' });
  return { title: 'copy', findings: await copyFindings({ config, host: THIS_HOST, edges, nowMs: Date.now() }) };
}

async function interceptChapter(config: InterceptConfig | undefined, clients: readonly IpAddress[]): Promise<Chapter> {
  const { interceptFindings } = await import('@trafficcopy/daemonset-intercept/doctor');
  return { title: 'intercept', findings: await interceptFindings({ config, host: THIS_HOST, clients }) };
}
