/**
 * The two halves against each other: what `captured` makes of what `replay` sends is the stream that was put in, however it was
 * cut, mixed and numbered on the way. A failure prints its seed; run it again with TEST_SEED=<seed>.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { REPLAY_RECORD_HEADER_BYTES } from '../../src/batch/replay-batch.js';
import { readU16 } from '../../src/wire/bytes.js';
import { ACK, FIN, PSH, RST } from '../../src/wire/tcp.js';
import { Client } from '../kit/client.js';
import { ENDPOINT, mappingTo, targetAt } from '../kit/engine-setup.js';
import { CONFIG, Rig } from '../kit/rig.js';

const BUDGET_MS = Number(process.env['TEST_FUZZ_MS'] ?? 2500);
const SEED = process.env['TEST_SEED'];
const PARAMETERS = {
  interruptAfterTimeLimit: BUDGET_MS,
  markInterruptAsFailure: false,
  numRuns: 100_000,
  ...(SEED === undefined ? {} : { seed: Number(SEED) }),
} as const;

/** First sequence numbers that cross the sign bit, the end of the numbers, or nothing. */
const seqNear = fc.oneof(
  fc.integer({ min: 0x7fff_f000, max: 0x8000_0010 }),
  fc.integer({ min: 0xffff_f000, max: 0xffff_ffff }),
  fc.integer({ min: 0, max: 0xffff_ffff }),
);

interface Cut {
  readonly from: number;
  readonly length: number;
}

/** A stream, and pieces that cover it: cut anywhere, with parts of each other again. */
const cutStream = fc.uint8Array({ minLength: 1, maxLength: 4000 }).chain((stream) =>
  fc
    .record({
      cuts: fc.array(fc.integer({ min: 1, max: stream.length }), { maxLength: 12 }),
      extras: fc.array(fc.tuple(fc.nat({ max: stream.length - 1 }), fc.integer({ min: 1, max: 600 })), {
        maxLength: 6,
      }),
      order: fc.array(fc.nat({ max: 1000 }), { minLength: 20, maxLength: 20 }),
    })
    .map(({ cuts, extras, order }) => {
      const edges = [...new Set([0, ...cuts, stream.length])].sort((a, b) => a - b);
      const whole: Cut[] = edges.slice(1).map((edge, index) => ({ from: edges[index]!, length: edge - edges[index]! }));
      const again = extras.map(([from, length]) => ({ from, length: Math.min(length, stream.length - from) }));
      const pieces = [...whole, ...again].map((cut, index) => ({
        cut,
        key: order[index % order.length]! + index / 1000,
      }));
      return { stream, pieces: pieces.sort((a, b) => a.key - b.key).map(({ cut }) => cut) };
    }),
);

/** The clock at which the engine's own numbers begin just before an edge: it counts 15,625 of them in a millisecond. */
function startBefore(edge: number, of: (packet: Uint8Array) => number, perMs: number): number {
  const rig = new Rig();
  rig.nowMs = 1000;
  rig.engine.ingestCaptured(batchOfSyn(), rig.nowMs);
  const first = of(firstPacket(rig));
  return 1000 + Math.floor(((edge - first) >>> 0) / perMs);
}

function batchOfSyn(): Parameters<Rig['engine']['ingestCaptured']>[0] {
  const packet = new Client().syn();
  return { bytes: packet, entries: Uint32Array.of(0, packet.length, packet.length, 0), count: 1 };
}

function firstPacket(rig: Rig): Uint8Array {
  const { bytes, headroomBytes } = rig.engine.outputs[0]!;
  const at = headroomBytes + REPLAY_RECORD_HEADER_BYTES;
  return bytes.slice(at, at + readU16(bytes, headroomBytes + 4));
}

const viewOf = (packet: Uint8Array): DataView => new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
const seqOf = (packet: Uint8Array): number => viewOf(packet).getUint32(24);
/** TSval of a SYN: behind MSS (4), window scale (4), and two NOPs. */
const tsValOf = (packet: Uint8Array): number => viewOf(packet).getUint32(40 + 8 + 4);

function rigAt(startMs: number): Rig {
  const rig = new Rig({}, { answer: () => 1 });
  rig.nowMs = startMs;
  return rig;
}

function deliver(rig: Rig, client: Client, stream: Uint8Array, pieces: readonly Cut[]): void {
  const start = client.seq;
  for (const { from, length } of pieces) {
    const text = stream.subarray(from, from + length);
    rig.capture(client.packet({ seq: (start + from) >>> 0, flags: ACK | PSH, text }));
  }
  client.seq = start + stream.length;
  rig.capture(client.fin());
  rig.wait(12_000);
}

describe('the stream at the target', () => {
  it('is the client’s, whatever the pieces, their order and the numbers of either side', () => {
    const signBit = startBefore(0x8000_0000, seqOf, 15_625);
    const wrap = startBefore(0, seqOf, 15_625);
    const clockWrap = startBefore(0, tsValOf, 1) - 20;
    fc.assert(
      fc.property(
        cutStream,
        seqNear,
        fc.constantFrom(1000, signBit, wrap, clockWrap),
        ({ stream, pieces }, seq, startMs) => {
          const rig = rigAt(startMs);
          const client = new Client({ seq });
          rig.capture(client.syn(), client.acknowledge());
          deliver(rig, client, stream, pieces);
          assert.deepEqual(
            rig.target.connections.map(({ received }) => Buffer.from(received)),
            [Buffer.from(stream)],
          );
          assert.deepEqual(rig.lost(), {});
          rig.checkEnd();
        },
      ),
      PARAMETERS,
    );
  });

  it('has the octets that were seen first, where pieces overlap with others', () => {
    fc.assert(
      fc.property(cutStream, seqNear, ({ stream, pieces }, seq) => {
        const rig = rigAt(1000);
        const client = new Client({ seq });
        rig.capture(client.syn(), client.acknowledge());
        const expected = new Uint8Array(stream.length);
        const start = client.seq;
        let known = 0;
        const inOrder = [...pieces].sort((a, b) => a.from - b.from);
        for (const [index, { from, length }] of inOrder.entries()) {
          // Each piece says something else.
          const text = new Uint8Array(length).fill(33 + (index % 90));
          if (from + length > known) expected.set(text.subarray(known - from), known);
          known = Math.max(known, from + length);
          rig.capture(client.packet({ seq: (start + from) >>> 0, flags: ACK | PSH, text }));
        }
        client.seq = start + stream.length;
        rig.capture(client.fin());
        rig.wait(3000);
        assert.deepEqual(Buffer.from(rig.target.connections[0]!.received), Buffer.from(expected));
        rig.checkEnd();
      }),
      PARAMETERS,
    );
  });
});

describe('the halves swapped', () => {
  it('agree: an engine that captures what another one sends sends the same stream', () => {
    const second = {
      ...mappingTo(targetAt('second', { address: Uint8Array.of(10, 0, 0, 9), port: 9090 })),
      onlineAddress: ENDPOINT.address,
      onlinePort: ENDPOINT.port,
    };
    fc.assert(
      fc.property(
        cutStream,
        seqNear,
        fc.constantFrom(300, 576, 1500, 9000),
        fc.nat(),
        ({ stream, pieces }, seq, mtuBytes, coin) => {
          let dice = coin | 1;
          const isLost = (): boolean => {
            dice = (Math.imul(dice, 0x5bd1_e995) + 0x3039) >>> 0;
            return dice >>> 28 === 0;
          };
          const mirror = new Rig({ mappings: [second], seed: coin }, { answer: () => 1 });
          const first = new Rig(
            { mtuBytes },
            {
              answer: () => 1,
              lose: (packet) => {
                // The second engine stands beside the target: it sees what arrives there.
                const lost = isLost();
                if (!lost) mirror.capture(packet);
                return lost;
              },
            },
          );
          const client = new Client({ seq });
          first.capture(client.syn(), client.acknowledge());
          first.wait(4000);
          deliver(first, client, stream, pieces);
          first.wait(60_000);
          mirror.nowMs = first.nowMs;
          mirror.wait(700_000);
          const expected = Buffer.from(stream);
          assert.deepEqual(Buffer.from(first.target.connections[0]!.received), expected);
          assert.deepEqual(Buffer.from(mirror.target.connections[0]!.received), expected);
          assert.deepEqual(mirror.lost(), {});
          mirror.checkEnd();
        },
      ),
      PARAMETERS,
    );
  });
});

describe('a connection that lives for days', () => {
  it('goes on after silences beyond every timer, PAWS and half the timestamps', () => {
    const rig = new Rig(
      { idleTimeoutMs: 1e12, responseTimeoutMs: 1e12, limits: { ...CONFIG.limits } },
      { answer: () => 1 },
    );
    const client = new Client({ seq: 0xffff_fff0 });
    rig.capture(client.syn(), client.acknowledge());
    let sent = 0;
    const say = (text: string): void => {
      rig.capture(client.send(text));
      client.hear(1);
      sent += text.length;
      rig.wait(50);
    };
    // Nobody wakes the engine meanwhile: its clock jumps.
    const sleep = (days: number): void => {
      rig.nowMs += days * 24 * 3600 * 1000;
      rig.wait(100);
    };
    say('one');
    // 30 days of silence: timestamps have gone half round, PAWS forgets after 24 (RFC 7323 5.5).
    sleep(30);
    say('two');
    // Timestamps wrap after 49 days.
    sleep(25);
    say('three');
    rig.capture(client.packet({ flags: FIN | ACK }));
    rig.wait(20_000);
    assert.deepEqual(rig.target.streams(), ['onetwothree']);
    assert.equal(rig.target.connections[0]!.received.length, sent);
    assert.deepEqual(rig.lost(), {});
    rig.checkEnd();
  });
});

describe('a reset', () => {
  it('that is not for this place of the stream ends nothing (RFC 9293 3.10.7.4)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0x4000_0000, max: 0x7fff_ffff }), fc.boolean(), (ahead, isBehind) => {
        const rig = rigAt(1000);
        const client = new Client();
        rig.capture(client.syn(), client.acknowledge(), client.send('one'));
        rig.capture(client.packet({ seq: (client.seq + (isBehind ? -ahead : ahead)) >>> 0, flags: RST | ACK }));
        client.hear(1);
        rig.capture(client.send('two'), client.fin());
        rig.wait(3000);
        assert.deepEqual(rig.target.streams(), ['onetwo']);
      }),
      { ...PARAMETERS, numRuns: 200 },
    );
  });
});
