/** Capture files: traffic that tcpdump recorded at online is replayed to a target later. */
import assert from 'node:assert/strict';
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { createGzip } from 'node:zlib';
import type { CopyOptions, CopySummary, LabProcess, StreamRecord } from '../../src/index.js';
import { CopyLab, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';
import { expectSameStreams, expectStreamsTimes, streamsOf } from './kit/streams.js';

const CONNECTIONS = 30;
const REQUESTS = 5;

/** Records a load at online with tcpdump; returns the file and what online received. */
async function record(copyLab: CopyLab): Promise<{ file: string; atOnline: StreamRecord[] }> {
  const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
  const sniffer = await copyLab.online.sniff(`tcp port ${ONLINE_PORT}`, { isWhole: true });
  await copyLab.load({ connections: 10, requests: REQUESTS, 'connections-total': CONNECTIONS, 'body-bytes': 3000 });
  await sniffer.stop();
  const atOnline = await streamsOf(online);
  await online.stop();
  assert.equal(atOnline.length, CONNECTIONS);
  return { file: sniffer.file, atOnline };
}

/** Replays until the copy ends by itself, and expects that nothing leaked. */
async function replay(
  copyLab: CopyLab,
  flags: readonly string[],
  options: Partial<CopyOptions> = {},
): Promise<CopySummary> {
  await copyLab.listenForLeaks();
  await copyLab.startIntercept();
  const copy = await copyLab.startCopy({ ...options, flags, waitReady: false });
  await copy.process.expectEnd(60_000, [0]);
  await copyLab.intercept.stop();
  await copyLab.expectNoLeaks();
  const summary = copy.summary();
  assert.equal(summary['endReason'], 'complete');
  return summary as unknown as CopySummary;
}

function target(copyLab: CopyLab): Promise<LabProcess> {
  return copyLab.target.program('recording-server', { port: TARGET_PORT });
}

test('tunnel, without a capability: each connection of a capture file arrives once, and the copy ends by itself', () =>
  CopyLab.with({}, async (copyLab) => {
    const { file, atOnline } = await record(copyLab);
    const server = await target(copyLab);
    const summary = await replay(copyLab, ['-i', file], { isUnprivileged: true });
    expectSameStreams(atOnline, await streamsOf(server));
    assert.equal(summary.turns.captured, summary.turns.delivered);
    assert.equal(summary.engine.terminal['copied'], CONNECTIONS);
  }));

test('direct, -T 3 -a max of a packed file: each connection three times, from ports of their own', () =>
  CopyLab.with({ delivery: 'direct' }, async (copyLab) => {
    const { file, atOnline } = await record(copyLab);
    await pipeline(createReadStream(file), createGzip(), createWriteStream(`${file}.gz`));
    const server = await target(copyLab);
    const summary = await replay(copyLab, ['-i', `${file}.gz`, '-T', '3', '-a', 'max']);
    const atTarget = await streamsOf(server);
    expectStreamsTimes(atOnline, atTarget, 3);
    assert.equal(new Set(atTarget.map(({ client }) => client)).size, 3 * CONNECTIONS);
    assert.equal(summary.turns.captured, summary.turns.delivered);
  }));

test('IPv6, tcpdump | copy -i -: what a pipe brings is replayed while it comes', () =>
  CopyLab.with({ family: 6 }, async (copyLab) => {
    const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
    const server = await target(copyLab);
    await copyLab.listenForLeaks();
    await copyLab.startIntercept();
    const pipe = join(copyLab.online.directory, 'pipe');
    await copyLab.online.expect('mkfifo', [pipe]);
    const tcpdump = await copyLab.online.start('tcpdump', 'tcpdump', [
      ...['-p', '-n', '-i', 'eth0', '-U', '-Z', 'root', '-w', pipe],
      `tcp port ${ONLINE_PORT}`,
    ]);
    const intercept = `[${copyLab.target.ipv6}]:36524`;
    const copy = await copyLab.startCopy({ flags: ['-i', '-'], stdinFile: pipe, intercept });
    await tcpdump.waitForLine(/listening on/);
    await copyLab.load({ connections: 5, requests: REQUESTS, 'connections-total': 10 });
    await copy.waitForMetric('trafficcopy_copy_turns_delivered_total', 10 * REQUESTS);
    await tcpdump.stop('SIGINT');
    await copy.process.expectEnd(60_000, [0]);
    await copyLab.intercept.stop();
    await copyLab.expectNoLeaks();
    assert.equal(copy.summary()['endReason'], 'complete');
    expectSameStreams(await streamsOf(online), await streamsOf(server));
  }));
