/** What is measured of a target agrees with the target's own log. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LabProcess, runWrk } from '../../src/index.js';
import { CopyLab, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';
import { type MeasuredTarget, measuredTargets } from './kit/measured-targets.js';

const CONNECTIONS = 20;
const SECONDS = 2;
const AGREE_US = 1000;

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]!;
}

/** Expects that what was measured and what the target logged are the same to a millisecond, at p50 and at p99. */
function expectSame(measured: MeasuredTarget, logged: readonly number[]): void {
  // wrk ends without the last answer of each of its connections, and so does the copy.
  for (const { count } of [measured.firstOctet, measured.lastOctet]) {
    assert.ok(count <= logged.length && count >= logged.length - CONNECTIONS, `${count} of ${logged.length} measured`);
  }
  for (const what of ['firstOctet', 'lastOctet'] as const) {
    for (const [name, share] of [
      ['p50Us', 0.5],
      ['p99Us', 0.99],
    ] as const) {
      const here = measured[what][name];
      const there = percentile(logged, share);
      assert.ok(Math.abs(here - there) <= AGREE_US, `${what}, ${name}: measured ${here} us, logged ${there} us`);
    }
  }
}

/** A process runs whenever it can, all its threads. */
async function goFirst(copyLab: CopyLab, pid: number): Promise<void> {
  await copyLab.target.expect('chrt', ['--all-tasks', '--rr', '--pid', '10', String(pid)]);
}

/** Two hosts with slow services, wrk at online; then the times of the target, measured and logged. */
async function forwardWrk(delivery: 'tunnel' | 'direct', flags: readonly string[]): Promise<void> {
  await CopyLab.with({ delivery, copyFlags: ['--measure', ...flags] }, async (copyLab) => {
    await copyLab.online.program('slow-service', { port: ONLINE_PORT, 'delay-ms-min': 30, 'delay-ms-max': 60 });
    const target: LabProcess = await copyLab.target.program('slow-service', { port: TARGET_PORT });
    await copyLab.start();
    // What a busy machine does to each of them would be in one of the two figures only.
    for (const { pid } of [target, copyLab.intercept.process, copyLab.copy.process]) await goFirst(copyLab, pid);
    const url = `http://${copyLab.online.ipv4}:${ONLINE_PORT}/`;
    const wrk = await runWrk(copyLab.client, { url, connections: CONNECTIONS, seconds: SECONDS, isYielding: true });
    assert.equal(wrk.errors, 0);
    const summary = await copyLab.finish();
    assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
    const [measured] = measuredTargets(summary);
    assert.ok(measured);
    assert.equal(measured.requests, summary.turns.delivered);
    expectSame(measured, await target.ask<number[]>('times'));
  });
}

test('tunnel: the latencies of a slow target are those of its own log, with wrk at online', () =>
  forwardWrk('tunnel', []));

test('direct: the same', () => forwardWrk('direct', []));

test('with workers, whose measurements are added up', () => forwardWrk('tunnel', ['--threads', '2']));
