/** Capture files through reader, schedule, engine and pipeline, to a target without a kernel. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ENGINE_LIMITS_DEFAULT } from '@trafficcopy/core';
import { StartError } from '@trafficcopy/runtime';
import { OfflineReplay } from '../../src/offline/offline-replay.js';
import { recordingsOf } from '../../src/offline/recording.js';
import { RecordedTraffic, type RecordedTrafficOptions } from '../kit/recorded-traffic.js';
import { type ReplayOutcome, replayFiles, type StandOptions } from '../kit/replay-stand.js';

const RECORDED_TIMES = {
  speed: 1,
  idleMsMax: undefined,
  rate: undefined,
  runs: 1,
  from: undefined,
  until: undefined,
};

const directory = mkdtempSync(join(tmpdir(), 'offline-'));
after(() => rmSync(directory, { recursive: true }));
let serial = 0;

function write(bytes: Uint8Array, ending = 'pcap'): string {
  serial += 1;
  const path = join(directory, `${serial}.${ending}`);
  writeFileSync(path, bytes);
  return path;
}

function traffic(options: RecordedTrafficOptions): { file: Buffer; expected: RecordedTraffic['expected'] } {
  const made = new RecordedTraffic(options);
  return { file: made.whole(), expected: made.expected };
}

/** Nothing is lost, and what arrived is what was recorded, `times` times. */
function expectAll(outcome: ReplayOutcome, expected: RecordedTraffic['expected'], times = 1): void {
  const { counters, seen } = outcome;
  assert.deepEqual(
    Object.entries(counters.turnsLost).filter(([, count]) => count > 0),
    [],
  );
  assert.equal(counters.turnsDelivered, counters.turnsCaptured);
  assert.equal(counters.connectionsSeen, expected.connections * times);
  assert.equal(counters.terminal.copied, expected.connections * times);
  assert.equal(seen.syns, expected.connections * times);
  assert.equal(seen.payloadBytes, expected.payloadBytes * times);
}

async function refusal(path: string, options: StandOptions = {}): Promise<string> {
  const error = await replayFiles([path], options).then(
    () => assert.fail('it was replayed'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof StartError, String(error));
  return error.message;
}

/** A file whose frames have another link header, or none. */
function relinked(file: Buffer, linkType: number, header: readonly number[]): Buffer {
  const parts: Buffer[] = [Buffer.from(file.subarray(0, 24))];
  parts[0]!.writeUInt32LE(linkType, 20);
  for (let at = 24; at < file.length; ) {
    const bytes = file.readUInt32LE(at + 8);
    const record = Buffer.from(file.subarray(at, at + 16));
    const ip = file.subarray(at + 16 + 14, at + 16 + bytes);
    record.writeUInt32LE(ip.length + header.length, 8);
    record.writeUInt32LE(ip.length + header.length, 12);
    parts.push(record, Buffer.from(header), ip);
    at += 16 + bytes;
  }
  return Buffer.concat(parts);
}

describe('a capture file', () => {
  it('is replayed as it is, each connection once from its own port', async () => {
    const { file, expected } = traffic({ sessions: 200, kind: 'keepAlive' });
    const outcome = await replayFiles([write(file)]);
    expectAll(outcome, expected);
    assert.equal(outcome.counters.turnsDelivered, expected.turns);
    assert.equal(outcome.seen.ports.size, 200);
    assert.equal(outcome.figures.doneFraction, 1);
    assert.equal(outcome.figures.frames, expected.frames);
  });

  it('that is larger than all buffers is replayed too, packed with gzip as well', async () => {
    const { file, expected } = traffic({ sessions: 300, kind: 'upload' });
    assert.ok(file.length > 8 * 1024 * 1024);
    expectAll(await replayFiles([write(file)]), expected);
    expectAll(await replayFiles([write(gzipSync(file, { level: 1 }), 'pcap.gz')]), expected);
  });

  const links: readonly [string, number, readonly number[]][] = [
    ['raw IP', 101, []],
    ['BSD loopback', 0, [2, 0, 0, 0]],
    ['Ethernet with two VLAN tags', 1, [...Array(12).fill(0), 0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0]],
    ['Linux cooked', 113, [...Array(14).fill(0), 8, 0]],
    ['Linux cooked, second version', 276, [8, 0, ...Array(18).fill(0)]],
    ['PPP', 9, [0xff, 3, 0, 0x21]],
    ['Cisco HDLC', 104, [0x0f, 0, 8, 0]],
  ];
  for (const [name, linkType, header] of links) {
    it(`of the link type ${name}`, async () => {
      const { file, expected } = traffic({ sessions: 3, kind: 'reset' });
      expectAll(await replayFiles([write(relinked(file, linkType, header))]), expected);
    });
  }

  it('several of them are replayed in the order of their times, whatever the order of their names', async () => {
    const { file, expected } = traffic({ sessions: 20, kind: 'reset', concurrency: 1 });
    const middle = recordBehind(file, file.length / 2);
    const first = write(file.subarray(0, middle));
    const second = write(Buffer.concat([file.subarray(0, 24), file.subarray(middle)]));
    const outcome = await replayFiles([second, first]);
    expectAll(outcome, expected);
    assert.deepEqual(outcome.notes, []);
    const overlapping = await replayFiles([first, first], { plan: { runs: 1 } });
    assert.match(overlapping.notes.join(), /begins before the end of the file before it/);
  });

  it('-T: each run has ports of its own, and connections without an end do not pile up', async () => {
    const { file, expected } = traffic({ sessions: 20, kind: 'open' });
    let openMax = 0;
    const outcome = await replayFiles([write(file)], {
      plan: { runs: 3 },
      onLook: (engine) => {
        openMax = Math.max(openMax, engine.sessionsOpen);
      },
    });
    expectAll(outcome, expected, 3);
    assert.equal(outcome.seen.ports.size, 60);
    assert.ok(openMax <= 20, `${openMax} sessions at one time`);
    assert.equal(outcome.figures.run, 3);
  });

  it('-n 100 of 100 connections with a range of -c: 10,000 sessions, no address and port twice', async () => {
    const { file, expected } = traffic({ sessions: 100, kind: 'reset', concurrency: 100 });
    const clientAddresses = [{ address: Uint8Array.of(10, 99, 0, 0), prefixBits: 24 }];
    const { counters, seen } = await replayFiles([write(file)], { copies: 100, clientAddresses });
    assert.equal(counters.terminal.copied, 10_000);
    assert.equal(counters.turnsDelivered, expected.turns * 100);
    assert.deepEqual([seen.syns, seen.ports.size], [10_000, 10_000]);
    const networks = new Set([...seen.ports].map((port) => Number(port.split(' ')[0]) >>> 8));
    assert.deepEqual([...networks], [0x0a_6300], 'all of the range');
  });

  it('--from and --until choose a stretch; -F chooses packets', async () => {
    const { file } = traffic({ sessions: 10, kind: 'reset', concurrency: 1, stepUs: 10_000 });
    const path = write(file);
    // 10 frames of 10 ms for each connection.
    const offset = (ms: number) => ({ kind: 'offset', offsetUs: ms * 1000 }) as const;
    const stretch = await replayFiles([path], { plan: { from: offset(199), until: offset(400) } });
    assert.equal(stretch.counters.connectionsSeen, 2);
    assert.equal(stretch.counters.turnsDelivered, 4);
    assert.ok(stretch.figures.outsideTime > 0);
    const one = await replayFiles([path], { condition: 'src port 20003' });
    assert.equal(one.counters.connectionsSeen, 1);
    const none = await replayFiles([path], { condition: 'src port 1' });
    assert.deepEqual([none.figures.packets, none.figures.notWanted], [0, none.figures.frames]);
  });

  it('--rate in requests and in connections: all arrives', async () => {
    const { file, expected } = traffic({ sessions: 20, kind: 'reset' });
    const path = write(file);
    for (const of of ['requests', 'connections'] as const) {
      const outcome = await replayFiles([path], { plan: { speed: 1, rate: { of, perSecond: 1000 } } });
      expectAll(outcome, expected);
    }
  });
});

describe('by the clock', () => {
  it('a packet comes when it is due and not before; what was held up for want of room is behind, then comes at once', async () => {
    // A frame every 100 ms; those of the client after 0, 200, 300, 500, 600, 800, 900 ms, and then the second connection.
    const { file } = traffic({ sessions: 2, kind: 'reset', concurrency: 1, stepUs: 100_000 });
    const recordings = await recordingsOf([write(file)], 1);
    let nowMs = 1000;
    let isUp = true;
    const limits = ENGINE_LIMITS_DEFAULT;
    const plan = { ...RECORDED_TIMES, files: recordings.map(({ path }) => path) };
    const replay = new OfflineReplay({
      plan,
      recordings,
      limits,
      sessionsForEach: 1,
      nowMs: () => nowMs,
      onNote: () => {},
    });
    const none = { sessionsOpen: 0, connectionsOpen: 0, heldBytes: 0, turnsPending: 0, turnsCaptured: 0, responses: 0 };
    replay.feed({ load: () => ({ ...none, isUp, isCongested: false }), endCapture: () => {} }, () => {});
    replay.openAs('tcp dst port 80');
    await new Promise<void>((resolve) => replay.start(() => replay.next() && resolve()));
    assert.equal(replay.count, 1);
    assert.equal(replay.next(), false);
    nowMs += 199;
    assert.equal(replay.next(), false);
    nowMs += 1;
    assert.equal(replay.next(), true);
    assert.equal(replay.count, 1);
    isUp = false;
    nowMs += 5000;
    assert.equal(replay.next(), false);
    assert.equal(replay.figures().behindMs, 4900);
    isUp = true;
    assert.equal(replay.next(), true);
    assert.equal(replay.count, 12);
    replay.close();
  });
});

describe('reading waits for engine and target, so that nothing is lost', () => {
  it('with room for few sessions and connections', async () => {
    const { file, expected } = traffic({ sessions: 100, kind: 'reset', concurrency: 4 });
    const outcome = await replayFiles([write(file)], { limits: { sessionsMax: 16, connectionsMax: 16 } });
    expectAll(outcome, expected);
  });

  it('with memory for a small part of what is uploaded', async () => {
    const { file, expected } = traffic({ sessions: 100, kind: 'upload', concurrency: 100 });
    const limits = { heldBytesMax: 2 * 1024 * 1024, heldBytesPerConnectionMax: 2 * 1024 * 1024 };
    let heldMax = 0;
    const outcome = await replayFiles([write(file)], {
      limits,
      onLook: (engine) => {
        heldMax = Math.max(heldMax, engine.heldBytes);
      },
    });
    expectAll(outcome, expected);
    assert.ok(heldMax < limits.heldBytesMax);
  });

  it('but not longer than -t for a target that does not answer', async () => {
    const { file, expected } = traffic({ sessions: 8, kind: 'reset' });
    const outcome = await replayFiles([write(file)], { isSilent: true, responseTimeoutMs: 300 });
    const { captureGap, noResponse } = outcome.counters.turnsLost;
    assert.equal(outcome.counters.turnsDelivered + noResponse, expected.turns);
    assert.equal(captureGap, 0);
    assert.equal(outcome.counters.terminal.noResponse, expected.connections);
  });
});

describe('a file that is not as it should be', () => {
  const { file, expected } = traffic({ sessions: 10, kind: 'reset', concurrency: 1 });

  it('is refused in words before anything is replayed', async () => {
    assert.match(await refusal(join(directory, 'missing.pcap')), /missing\.pcap: it cannot be read: ENOENT/);
    assert.match(await refusal(directory), /EISDIR/);
    assert.match(await refusal(write(Buffer.alloc(0))), /it is empty; expected a pcap or pcapng file/);
    assert.match(await refusal(write(file.subarray(0, 10))), /its 10 octets are too few/);
    assert.match(
      await refusal(write(Buffer.from('GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n'))),
      /unknown file format/,
    );
    assert.match(
      await refusal(write(relinked(file, 105, []))),
      /link type IEEE802_11, 802\.11: no IP packets are found in it here; expected Ethernet/,
    );
  });

  it('and without any frame: it is read, and holds nothing', async () => {
    const outcome = await replayFiles([write(file.subarray(0, 24))]);
    assert.deepEqual([outcome.figures.frames, outcome.counters.connectionsSeen, outcome.notes.length], [0, 0, 0]);
  });

  it('cut in the middle: what comes before is replayed, and it is said', async () => {
    const outcome = await replayFiles([write(file.subarray(0, file.length - 30))]);
    assert.equal(outcome.counters.connectionsSeen, expected.connections);
    assert.equal(outcome.figures.filesCutShort, 1);
    assert.match(outcome.notes.join(), /the file ends early; what comes before is replayed: truncated/);
  });

  it('a cut gzip file as well', async () => {
    const packed = gzipSync(file);
    const outcome = await replayFiles([write(packed.subarray(0, packed.length - 200), 'pcap.gz')]);
    assert.equal(outcome.figures.filesCutShort, 1);
    assert.match(outcome.notes.join(), /unexpected end of file/);
    assert.ok(outcome.counters.connectionsSeen > 0);
  });

  it('packets that were captured in part: counted, said, and their requests lost as captureGap', async () => {
    const short = Buffer.from(file);
    short.writeUInt32LE(96, 16);
    const parts = [short.subarray(0, 24)];
    for (let at = 24; at < short.length; ) {
      const bytes = short.readUInt32LE(at + 8);
      const kept = Math.min(bytes, 96);
      short.writeUInt32LE(kept, at + 8);
      parts.push(short.subarray(at, at + 16 + kept));
      at += 16 + bytes;
    }
    const outcome = await replayFiles([write(Buffer.concat(parts))]);
    assert.equal(outcome.figures.cut, expected.turns);
    const { turnsCaptured, turnsDelivered, turnsLost } = outcome.counters;
    assert.deepEqual([turnsDelivered, turnsLost.captureGap], [0, turnsCaptured]);
    assert.equal(outcome.counters.terminal.captureGap, expected.connections);
    assert.match(outcome.notes.join(), /only the beginning was captured \(snap length 96 octets\)/);
  });
});

/** Where the first record begins that is not before `offset`. */
function recordBehind(file: Buffer, offset: number): number {
  let at = 24;
  while (at < offset) at += 16 + file.readUInt32LE(at + 8);
  return at;
}
