/** Captured packets, whole, broken and lying, and lies of an intercept, into an engine that copies datagrams. */
import assert from 'node:assert/strict';
import type { FuzzTarget } from '@trafficcopy/fuzz';
import { PACKET_ENTRY_FIELDS } from '../../src/batch/packet-batch.js';
import { RESPONSE_EVENT, RESPONSE_EVENT_DATAGRAMS, RESPONSE_RECORD_BYTES } from '../../src/batch/response-record.js';
import { Engine } from '../../src/engine.js';
import { parseIpAddress } from '../../src/wire/ip-address.js';
import { datagram, datagramsOf } from '../kit/datagram.js';
import { CONFIG } from '../kit/rig.js';

const LIMITS = { ...CONFIG.limits, connectionsMax: 8, sessionsMax: 12, batchPacketsMax: 8, batchBytesMax: 2048 };
const WORDS_MAX = 12;

function newEngine(): Engine {
  const targets = (['10.0.0.3', '10.0.0.4'] as const).map((name, lane) => ({
    name,
    endpoints: [{ lane, address: parseIpAddress(name)!, port: 53 }],
  }));
  return new Engine({
    ...CONFIG,
    udp: true,
    lanes: 2,
    copies: 2,
    limits: { ...LIMITS, heldBytesMax: 16_384 },
    clientAddresses: [{ address: parseIpAddress('198.18.0.0')!, prefixBits: 30 }],
    mappings: [{ onlinePort: 53, ipVersion: 4, targets }],
  });
}

/** The first octet of each step says what it is, the second how long; the rest of the input goes on behind it. */
function run(input: Uint8Array): number {
  const engine = newEngine();
  const { datagrams } = engine.counters;
  let at = 0;
  for (let step = 0; at + 2 <= input.length; step += 1) {
    const [kind = 0, size = 0] = input.subarray(at, at + 2);
    const octets = input.slice(at + 2, at + 2 + size);
    at += 2 + size;
    doStep(engine, kind, octets, step);
    const { copies, delivered, pending, lost } = datagrams;
    const sum = delivered + pending + Object.values(lost).reduce((total, count) => total + count, 0);
    assert.equal(copies, sum, 'copies = delivered + pending + lost');
    assert.ok(pending >= 0 && engine.heldBytes <= 16_384);
  }
  engine.close(10_000);
  assert.equal(datagrams.pending, 0);
  return (Math.min(datagrams.captured, WORDS_MAX) << 4) | Math.min(datagrams.delivered, WORDS_MAX);
}

function doStep(engine: Engine, kind: number, octets: Uint8Array, step: number): void {
  const nowMs = 1000 + step;
  switch (kind & 7) {
    case 0: {
      const from = `10.0.1.${((octets[0] ?? 0) % 254) + 1}`;
      captured(engine, datagram({ from, fromPort: 1 + (octets[1] ?? 0), payload: octets }), nowMs);
      return;
    }
    case 1:
      captured(engine, octets, nowMs);
      return;
    case 2: {
      const record = new Uint8Array(RESPONSE_RECORD_BYTES);
      record.set(octets.subarray(0, RESPONSE_RECORD_BYTES));
      if ((kind & 8) === 0) record[RESPONSE_EVENT] = RESPONSE_EVENT_DATAGRAMS;
      const batch = { bytes: record, offset: 0, strideBytes: RESPONSE_RECORD_BYTES, count: 1 };
      engine.ingestResponses((kind >> 4) & 1, batch, nowMs);
      return;
    }
    case 3:
      engine.setLaneUp((kind >> 4) & 1, (kind & 8) === 0, nowMs);
      return;
    case 4:
      engine.setLaneCongested((kind >> 4) & 1, (kind & 8) === 0);
      return;
    case 5:
      engine.noteDropped((kind >> 4) & 1, kind >> 5);
      return;
    default:
      for (const output of engine.outputs) {
        // What is sent is whole.
        if (output !== undefined) datagramsOf(output);
        output?.clear();
      }
      engine.advance(nowMs);
  }
}

function captured(engine: Engine, bytes: Uint8Array, nowMs: number): void {
  const entries = new Uint32Array(PACKET_ENTRY_FIELDS);
  entries.set([0, bytes.length, bytes.length, 0]);
  engine.ingestCaptured({ bytes, entries, count: 1 }, nowMs);
}

const seed = Uint8Array.of(0, 3, 1, 2, 3, 0, 2, 9, 9, 6, 0, 2, 8, 0, 0, 0, 0, 0, 0, 0, 2, 6, 0);
const target: FuzzTarget = {
  seeds: [seed, Uint8Array.of(1, 60, ...datagram({ payload: new Uint8Array(32) })), Uint8Array.of(3, 0, 0, 1, 7)],
  bytesMax: 800,
  run,
};
export default target;
