/**
 * Memory of copy and intercept with 10,000 open idle sessions. It is that of the programs as they run in the long term: without --metrics, with the
 * certificate of an earlier run, and once what only starting took was given back. The capture buffer is taken off: its pages are the kernel's, as many as -B
 * says.
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
const CAPTURE_BUFFER_BYTES = CAPTURE_BUFFER_MIB * 2 ** 20;
/** For each of the two. What is measured is 65 to 78 million and 60 to 66 million. */
const RSS_BYTES_MAX = 96_000_000;

/** Looks in a row for which the bound holds: some four seconds. */
const LOOKS = 200;

interface Memory {
  readonly copy: number;
  readonly intercept: number;
}

function rssBytes({ pid }: LabProcess): number {
  return readProcessMemory(pid)?.rssBytes ?? Number.NaN;
}

async function run(host: LabHost, command: string, ready: RegExp, words: readonly string[]): Promise<LabProcess> {
  const process = await host.start(`${command}-idle`, TRAFFIC_COPY, [command, ...words]);
  await process.waitForLine(ready, 60_000);
  return process;
}

async function connectionsAt(host: LabHost): Promise<number> {
  return Number(await host.expect('sh', ['-c', `ss -Htn state established sport = :${TARGET_PORT} | wc -l`]));
}

test(`${CONNECTIONS} open idle sessions: copy and intercept take ${RSS_BYTES_MAX / 1e6} MB of RSS each at most`, async (context) => {
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
    const memory = (): Memory => ({
      copy: rssBytes(copy) - CAPTURE_BUFFER_BYTES,
      intercept: rssBytes(intercept),
    });
    const before = memory();
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
    const first = memory();
    // Right after it was given back there is less than they use: what counts is what stays.
    let looks = 0;
    const staysBelow = async (): Promise<boolean> => {
      looks = Math.max(...Object.values(memory())) <= RSS_BYTES_MAX ? looks + 1 : 0;
      return looks >= LOOKS;
    };
    await eventually('copy and intercept stay below the bound', 60_000, staysBelow, async () =>
      JSON.stringify(memory()),
    );
    const figures = [before, first, memory()].map((one) => JSON.stringify(one));
    context.diagnostic(`octets without, right after and with ${CONNECTIONS} sessions: ${figures.join(' ')}`);
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
