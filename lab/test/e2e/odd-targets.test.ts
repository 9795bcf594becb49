/** Targets that take what they are sent in ways of their own, by a real kernel: every octet of every upload arrives. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CopySummary, LabHost, LabProcess } from '../../src/index.js';
import { CopyLab, type CopyLabOptions, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';
import { expectSameStreams, streamsOf } from './kit/streams.js';

const BODY_BYTES = 1_000_000;
const CONNECTIONS = 4;

interface OddTarget {
  readonly options?: CopyLabOptions | undefined;
  /** Of the recording server. */
  readonly settings: Readonly<Record<string, string | number>>;
  readonly bodyBytes?: number | undefined;
  readonly prepare?: ((target: LabHost) => Promise<unknown>) | undefined;
  readonly check?: ((copyLab: CopyLab, summary: CopySummary, target: LabProcess) => Promise<void>) | undefined;
}

/** Uploads to online, each on a connection of its own, and expects that the odd target receives the same streams. */
async function expectUploadsAt(odd: OddTarget): Promise<void> {
  await CopyLab.with(odd.options ?? {}, async (copyLab) => {
    await odd.prepare?.(copyLab.target);
    const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
    const target = await copyLab.target.program('recording-server', { port: TARGET_PORT, ...odd.settings });
    await copyLab.start();
    await copyLab.load({
      ...{ connections: CONNECTIONS, requests: 1, 'connections-total': CONNECTIONS },
      'body-bytes': odd.bodyBytes ?? BODY_BYTES,
    });
    const summary = await copyLab.finish();
    expectSameStreams(await streamsOf(online), await streamsOf(target));
    assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
    assert.equal(summary.engine.terminal['copied'], CONNECTIONS, JSON.stringify(summary.engine.terminal));
    await odd.check?.(copyLab, summary, target);
  });
}

/** Receive buffers of so many octets, for all sockets of the host; the window is about half of it. */
function receiveBuffer(bytes: number): (target: LabHost) => Promise<unknown> {
  return (target) => target.expect('sysctl', ['-q', '-w', `net.ipv4.tcp_rmem=4096 ${bytes} ${bytes}`]);
}

/** A counter of the host's TCP, as netstat(8) names it. */
async function tcpCounter(host: LabHost, name: string): Promise<number> {
  const lines = (await host.expect('cat', ['/proc/net/netstat']))
    .split('\n')
    .filter((line) => line.startsWith('TcpExt:'));
  const [names = [], values = []] = lines.map((line) => line.split(' '));
  return Number(values[names.indexOf(name)] ?? Number.NaN);
}

async function expectClosedWindows(copyLab: CopyLab, least: number): Promise<void> {
  const closed = await tcpCounter(copyLab.target, 'TCPToZeroWindowAdv');
  assert.ok(closed >= least, `the target's kernel closed windows ${closed} times`);
}

test('a target that stops reading for 3 s, with a buffer of 16 KB, gets all of an upload of 1 MB', async () => {
  await expectUploadsAt({
    prepare: receiveBuffer(16_384),
    settings: { manner: 'pausing', 'pause-ms': 3_000 },
    check: (copyLab) => expectClosedWindows(copyLab, CONNECTIONS),
  });
});

test('a target with the smallest buffer of its kernel, which takes an upload sip by sip, gets all of it', async () => {
  await expectUploadsAt({
    prepare: receiveBuffer(4_096),
    settings: { manner: 'sipping' },
    bodyBytes: 100_000,
    check: (copyLab) => expectClosedWindows(copyLab, CONNECTIONS),
  });
});

test('Direct: a target with an MSS of 536 gets segments that fit', async () => {
  await expectUploadsAt({
    options: { delivery: 'direct' },
    prepare: (target) =>
      target.expect('ip', ['route', 'replace', '10.77.0.0/24', 'dev', 'eth0', 'src', target.ipv4, 'advmss', '536']),
    settings: {},
    check: async (_, summary) => {
      const segments = (CONNECTIONS * BODY_BYTES) / 536;
      assert.ok(summary.engine.packetsSent >= segments, `${summary.engine.packetsSent} of ${segments} segments`);
    },
  });
});

test('a target that writes 64 KB before it reads gets the whole upload', async () => {
  await expectUploadsAt({ settings: { manner: 'talkative', 'response-bytes': 65_536 } });
});

test('a target that closes its side at once and goes on reading gets the whole upload', async () => {
  await expectUploadsAt({ settings: { manner: 'half-closing' } });
});
