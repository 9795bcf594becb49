/** `--threads`: workers share the work, and the end of one is nobody else's. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { workerOfPort } from '@trafficcopy/core';
import type { CopySummary, LabProcess, LoadReport, StreamRecord, TrafficCopy } from '../../src/index.js';
import { CopyLab, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';
import { expectSameStreams, streamsOf } from './kit/streams.js';

/** Which of two workers of copy has a client's connections. */
function workerOfClient({ client }: StreamRecord): number {
  return workerOfPort(Number(client.slice(client.lastIndexOf(':') + 1)), 2);
}

/** The process of a worker: its lines of the log name both. */
async function pidOfWorker({ process }: TrafficCopy, worker: number): Promise<number> {
  const [, pid] = await process.waitForLine(new RegExp(`"pid":(\\d+),"worker":${worker}\\b`));
  return Number(pid);
}

/** Load that goes on until it is stopped; the clients must not notice what happens meanwhile. */
async function endlessLoad(copyLab: CopyLab): Promise<{ stop(): Promise<LoadReport> }> {
  const generator = await copyLab.client.program('load-generator', {
    host: copyLab.online.address(copyLab.family),
    port: ONLINE_PORT,
    connections: 16,
    rate: 400,
    'duration-ms': 120_000,
  });
  const run = generator.ask<LoadReport>('run', undefined, 120_000);
  return {
    async stop() {
      await generator.ask('stop');
      const report = await run;
      await generator.stop();
      assert.deepEqual(report.errors, {}, 'the clients of online met errors');
      assert.equal(report.responses, report.requests, 'online answered every request');
      return report;
    },
  };
}

/** The turns are all accounted for, and so are the sessions. */
function expectSums({ turns, engine }: CopySummary): void {
  assert.equal(turns.pending, 0);
  assert.equal(turns.captured, turns.delivered + turns.lost, JSON.stringify(turns));
  const ended = Object.values(engine.terminal).reduce((sum, count) => sum + count, 0);
  assert.ok(ended >= engine.sessionsStarted, JSON.stringify(engine));
}

/** Process ids of the workers of a program, in the order of their start. */
function workersOf({ process: { pid } }: TrafficCopy): number[] {
  const children = readdirSync('/proc').filter((name) => {
    try {
      // The parent's id is the second field behind the name, which stands in brackets.
      const fields = readFileSync(`/proc/${name}/stat`, 'latin1')
        .replace(/^.*\) /, '')
        .split(' ');
      return Number(fields[1]) === pid && readFileSync(`/proc/${name}/cmdline`, 'latin1').includes('worker');
    } catch {
      return false;
    }
  });
  return children.map(Number).sort((a, b) => a - b);
}

async function servers(copyLab: CopyLab): Promise<{ online: LabProcess; target: LabProcess }> {
  const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT, 'response-bytes': 2_000 });
  const target = await copyLab.target.program('recording-server', { port: TARGET_PORT, 'response-bytes': 3_100 });
  return { online, target };
}

for (const [delivery, family] of [
  ['tunnel', 4],
  ['direct', 6],
] as const) {
  test(`${delivery}, IPv${family}: two workers copy every stream once, and share the connections`, async () => {
    const options = { delivery, family, copyFlags: ['--threads=2'], interceptFlags: ['--threads=2'] } as const;
    await CopyLab.with(options, async (copyLab) => {
      const { online, target } = await servers(copyLab);
      await copyLab.start();
      const kept = await copyLab.load({ connections: 20, requests: 50, 'connections-total': 20 });
      const short = await copyLab.load({ connections: 8, requests: 1, 'connections-total': 200 });
      const connections = kept.connections + short.connections;
      assert.equal(await copyLab.copy.metric('trafficcopy_copy_workers'), 2);
      assert.equal(await copyLab.intercept.metric('trafficcopy_intercept_workers'), 2);
      assert.equal(await copyLab.intercept.metric('trafficcopy_intercept_copies'), 1, 'its workers are one copy');
      for (const program of [copyLab.copy, copyLab.intercept]) assert.equal(workersOf(program).length, 2);
      for (const worker of delivery === 'tunnel' ? [0, 1] : [0]) {
        await copyLab.intercept.process.waitForLine(new RegExp(`"worker":${worker},.*"msg":"a copy is connected"`));
      }
      const summary = await copyLab.finish();
      expectSameStreams(await streamsOf(online), await streamsOf(target));
      assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
      assert.equal(summary.turns.captured, summary.turns.delivered);
      assert.equal(summary.engine.connectionsSeen, connections);
      assert.equal(summary.engine.sessionsStarted, connections);
      assert.equal(summary.engine.terminal['copied'], connections, JSON.stringify(summary.engine.terminal));
    });
  });
}

test('kill -9 of a worker of copy: its sessions are lost and counted, the others go on, and another worker copies again', async () => {
  await CopyLab.with({ copyFlags: ['--threads=2'] }, async (copyLab) => {
    const { online, target } = await servers(copyLab);
    await copyLab.start();
    const { copy } = copyLab;
    const load = await endlessLoad(copyLab);
    await copy.waitForMetric('trafficcopy_copy_turns_delivered_total', 400);
    const victim = await pidOfWorker(copy, 0);
    process.kill(victim, 'SIGKILL');
    await copy.waitForMetric('trafficcopy_copy_worker_restarts_total', 1);
    const atRestart = await copy.metric('trafficcopy_copy_turns_delivered_total');
    await copy.waitForMetric('trafficcopy_copy_turns_delivered_total', atRestart + 600);
    assert.equal(await copy.metric('trafficcopy_copy_workers'), 2);
    const workers = workersOf(copy);
    assert.equal(workers.length, 2);
    assert.ok(!workers.includes(victim));
    await load.stop();
    const summary = await copyLab.finish();
    assert.deepEqual(
      workers.filter((pid) => existsSync(`/proc/${pid}`)),
      [],
      'no worker outlives the program',
    );
    expectSums(summary);
    // How many were on their way in that moment is a matter of how busy the machine was.
    const { interrupted: _, ...others } = summary.turns.lostByReason;
    assert.deepEqual(
      Object.values(others).filter((count) => count > 0),
      [],
      JSON.stringify(summary.turns),
    );
    const [atOnline, atTarget] = [await streamsOf(online), await streamsOf(target)];
    const isSpared = (stream: StreamRecord): boolean => workerOfClient(stream) === 1;
    expectSameStreams(atOnline.filter(isSpared), atTarget.filter(isSpared));
    const hit = new Map<string, number>();
    for (const { client } of atTarget.filter((stream) => !isSpared(stream)))
      hit.set(client, (hit.get(client) ?? 0) + 1);
    assert.ok(
      [...hit.values()].some((streams) => streams > 1),
      'connections of the worker that died were joined again',
    );
  });
});

test('kill -9 of a worker of intercept: its copies come back to it, no request is lost, the others go on, nothing leaks', async () => {
  await CopyLab.with({ copyFlags: ['--threads=2'], interceptFlags: ['--threads=2'] }, async (copyLab) => {
    const { online, target } = await servers(copyLab);
    await copyLab.start();
    const { copy, intercept } = copyLab;
    const load = await endlessLoad(copyLab);
    await copy.waitForMetric('trafficcopy_copy_turns_delivered_total', 400);
    const victim = await pidOfWorker(intercept, 1);
    process.kill(victim, 'SIGKILL');
    await intercept.waitForMetric('trafficcopy_intercept_worker_restarts_total', 1);
    await copy.waitForMetric('trafficcopy_copy_lane_connects_total', 3);
    const atReturn = await copy.metric('trafficcopy_copy_turns_delivered_total');
    await copy.waitForMetric('trafficcopy_copy_turns_delivered_total', atReturn + 600);
    assert.equal(await intercept.metric('trafficcopy_intercept_workers'), 2);
    assert.ok(!workersOf(intercept).includes(victim));
    await load.stop();
    const summary = await copyLab.finish();
    expectSums(summary);
    assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
    expectSameStreams(await streamsOf(online), await streamsOf(target));
  });
});
