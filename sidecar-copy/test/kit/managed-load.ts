import assert from 'node:assert/strict';
import type { LabHost, LabProcess, LoadReport, StreamRecord } from '@trafficcopy/lab';
import { type ManagedRig, ONLINE_PORT } from './managed-rig.js';

export type Load = Readonly<Record<string, string | number>>;

export async function startLoad(rig: ManagedRig, settings: Load): Promise<{ done: Promise<LoadReport> }> {
  const host = rig.lab.online.ipv4;
  const generator = await rig.lab.client.program('load-generator', { host, port: ONLINE_PORT, ...settings });
  return { done: generator.ask<LoadReport>('run', undefined, 60_000) };
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
