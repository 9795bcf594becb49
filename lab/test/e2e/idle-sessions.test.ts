/**
 * Memory of copy and intercept with 10,000 open idle sessions, a bound for each. It is that of the programs as they run in the long term: without
 * --metrics, and with the certificate of an earlier run. The capture buffer is taken off: its pages are the kernel's, as many as -B says.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type CopySummary,
  eventually,
  type LabHost,
  type LabProcess,
  Nginx,
  readProcessMemory,
  TRAFFIC_COPY,
} from '../../src/index.js';
import { CopyLab, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';

const CONNECTIONS = 10_000;
const CAPTURE_BUFFER_MIB = 128;
/** What is measured on a machine that does other things as well is 106 to 115 and 93; of each 55 MiB are Node.js's own pages, which all its processes share. */
const RSS_MIB_MAX = { copy: 120, intercept: 104 } as const;

function rssMib({ pid }: LabProcess, bufferMib: number): number {
  return Math.round((10 * (readProcessMemory(pid)?.rssBytes ?? Number.NaN)) / 2 ** 20) / 10 - bufferMib;
}

async function run(host: LabHost, command: string, ready: RegExp, words: readonly string[]): Promise<LabProcess> {
  const process = await host.start(`${command}-idle`, TRAFFIC_COPY, [command, ...words]);
  await process.waitForLine(ready, 60_000);
  return process;
}

async function connectionsAt(host: LabHost): Promise<number> {
  return Number(await host.expect('sh', ['-c', `ss -Htn state established sport = :${TARGET_PORT} | wc -l`]));
}

test(`${CONNECTIONS} open idle sessions: copy stays below ${RSS_MIB_MAX.copy} MiB, intercept below ${RSS_MIB_MAX.intercept} MiB`, async (context) => {
  await CopyLab.with({}, async (copyLab) => {
    const { online, target, client } = copyLab;
    await Nginx.start(online, { port: ONLINE_PORT, connectionsMax: 16_384 });
    await Nginx.start(target, { port: TARGET_PORT, connectionsMax: 16_384 });
    // The first run makes keys and certificates.
    await copyLab.start();
    await copyLab.copy.stop();
    await copyLab.intercept.stop();

    const intercept = await run(target, 'intercept', /intercept serves/, ['--state', copyLab.intercept.stateDirectory]);
    const map = `${ONLINE_PORT}-${copyLab.targetEndpoint(TARGET_PORT)}`;
    const summary = join(online.directory, 'summary-idle.json');
    const copy = await run(online, 'copy', /"msg":"copying"|INFO +copying/, [
      ...['-x', map, '--delivery', 'tunnel', '-B', String(CAPTURE_BUFFER_MIB), '--state', copyLab.copy.stateDirectory],
      ...['--summary', summary],
    ]);
    const before = { copy: rssMib(copy, CAPTURE_BUFFER_MIB), intercept: rssMib(intercept, 0) };
    const clients = await client.program('idle-clients', {
      host: online.ipv4,
      port: ONLINE_PORT,
      connections: CONNECTIONS,
    });
    assert.equal(await clients.ask<number>('open', undefined, 120_000), CONNECTIONS);
    await eventually(
      'every session is at the target',
      60_000,
      async () => (await connectionsAt(target)) === CONNECTIONS,
    );
    const during = (): typeof before => ({ copy: rssMib(copy, CAPTURE_BUFFER_MIB), intercept: rssMib(intercept, 0) });
    const first = during();
    // What the burst of handshakes took is given back within some seconds.
    const isBelow = async (): Promise<boolean> =>
      during().copy <= RSS_MIB_MAX.copy && during().intercept <= RSS_MIB_MAX.intercept;
    await eventually('copy and intercept are below the bound', 30_000, isBelow, async () => JSON.stringify(during()));
    const figures = [before, first, during()].map((one) => JSON.stringify(one));
    context.diagnostic(`MiB without, right after and with ${CONNECTIONS} sessions: ${figures.join(' ')}`);
    await clients.ask('close', undefined, 60_000);
    await eventually('every session has ended', 60_000, async () => (await connectionsAt(target)) === 0);
    assert.equal((await copy.stop()).status, 0);
    const { turns, engine } = JSON.parse(readFileSync(summary, 'utf8')) as CopySummary;
    assert.deepEqual(
      [turns.captured, turns.delivered, engine.terminal['copied']],
      [CONNECTIONS, CONNECTIONS, CONNECTIONS],
    );
    assert.equal((await intercept.stop()).status, 0);
  });
});
