import assert from 'node:assert/strict';
import type { LabHost, LabProcess, LoadReport, StreamRecord } from '@trafficcopy/lab';
import { type ManagedRig, ONLINE_PORT } from './managed-rig.js';

export type Load = Readonly<Record<string, string | number>>;

/** A load that goes on while a test looks at what is copied. */
export interface RunningLoad {
  readonly done: Promise<LoadReport>;
  /** Ends it at the next answer of each connection. */
  stop(): Promise<LoadReport>;
}

/** Longest run of a load that its test does not stop, ms. */
const DURATION_MS_MAX = 120_000;

export async function startLoad(rig: ManagedRig, settings: Load): Promise<RunningLoad> {
  const host = rig.lab.online.ipv4;
  const flags = { host, port: ONLINE_PORT, 'duration-ms': DURATION_MS_MAX, ...settings };
  const generator = await rig.lab.client.program('load-generator', flags);
  const done = generator.ask<LoadReport>('run', undefined, DURATION_MS_MAX + 30_000);
  // Told by whoever waits for it; a test that fails before is not told twice.
  done.catch(() => {});
  return {
    done,
    stop: async () => {
      await generator.ask('stop');
      return await done;
    },
  };
}

export async function load(rig: ManagedRig, settings: Load): Promise<LoadReport> {
  const report = await (await startLoad(rig, settings)).done;
  expectUnharmed(report);
  return report;
}

export function expectUnharmed(report: LoadReport): void {
  assert.deepEqual(report.errors, {}, 'the clients of online met errors');
  assert.equal(report.responses, report.requests);
}

export async function server(host: LabHost, port: number): Promise<LabProcess> {
  return await host.program('recording-server', { port });
}

export async function hashesAt(...servers: readonly LabProcess[]): Promise<string[]> {
  const reports = await Promise.all(servers.map((one) => one.ask<StreamRecord[]>('report')));
  return reports
    .flat()
    .filter(({ bytes }) => bytes > 0)
    .map(({ sha256 }) => sha256)
    .sort();
}

export async function requestsAt(...servers: readonly LabProcess[]): Promise<number> {
  const reports = await Promise.all(servers.map((one) => one.ask<StreamRecord[]>('report')));
  return reports.flat().reduce((sum, { requests }) => sum + requests, 0);
}
