/** Properties of the C programs' protocol: what is written is read, in any chunks; hostile octets do no harm. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  HeaderFrameReader,
  HeadersPayload,
  PacketHeader,
  parsePacket,
  RESPONSE_ACK,
  RESPONSE_FLAGS,
  RESPONSE_PAYLOAD_BYTES,
  RESPONSE_SEQ,
  RESPONSE_SESSION_ID,
  RESPONSE_WINDOW,
  readU16,
  readU32,
  SessionRoutes,
  TunnelMessageReader,
  WIRE_FORMATS,
  WIRE_PAYLOAD_FORMATS,
  type WireFormat,
  writeHeaderRecord,
  writeTunnelAdd,
  writeU16,
  writeU32,
} from '../../src/index.js';

const FORMATS = [...Object.values(WIRE_FORMATS), ...Object.values(WIRE_PAYLOAD_FORMATS)];
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const ends = fc.record({ client: u32, clientPort: u16, target: u32, targetPort: u16 });
type Ends = typeof ends extends fc.Arbitrary<infer T> ? T : never;

const response = fc.record({
  seq: u32,
  ack: u32,
  flags: fc.integer({ min: 0, max: 255 }),
  window: u16,
  /** Octets of options; 1.x has room for 24. */
  optionWords: fc.integer({ min: 0, max: 6 }),
  payloadBytes: fc.integer({ min: 0, max: 60_000 }),
});
type Response = typeof response extends fc.Arbitrary<infer T> ? T : never;

/** A packet from `source` to the other end: headers, without the payload that it says to have. */
function packetOf(from: Ends, isResponse: boolean, { seq, ack, flags, window, optionWords, payloadBytes }: Response) {
  const headerBytes = 40 + optionWords * 4;
  const packet = new Uint8Array(headerBytes).fill(1);
  packet.set([0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0]);
  writeU16(packet, 2, headerBytes + payloadBytes);
  const [source, destination] = isResponse ? [from.target, from.client] : [from.client, from.target];
  writeU32(packet, 12, source);
  writeU32(packet, 16, destination);
  writeU16(packet, 20, isResponse ? from.targetPort : from.clientPort);
  writeU16(packet, 22, isResponse ? from.clientPort : from.targetPort);
  writeU32(packet, 24, seq);
  writeU32(packet, 28, ack);
  packet[32] = (5 + optionWords) << 4;
  packet[33] = flags;
  writeU16(packet, 34, window);
  return packet;
}

const NO_RESPONSE: Response = { seq: 1, ack: 0, flags: 2, window: 1, optionWords: 0, payloadBytes: 0 };

/** `stream` in chunks of the sizes of `cuts`, each overwritten after its use. */
function pushCut(stream: Uint8Array, cuts: readonly number[], push: (chunk: Uint8Array) => void): void {
  for (let at = 0, cut = 0; at < stream.length; cut += 1) {
    const end = Math.min(stream.length, at + cuts[cut % cuts.length]!);
    const chunk = stream.slice(at, end);
    push(chunk);
    chunk.fill(0xee);
    at = end;
  }
}

const cutSizes = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20 });

/** Frames as an intercept fills them. */
function framesOf(format: WireFormat, packets: readonly Uint8Array[], sizes: readonly number[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0, turn = 0; at < packets.length; turn += 1) {
    const count = Math.min(packets.length - at, 1 + (sizes[turn % sizes.length]! % format.countMax));
    const frame = new Uint8Array(2 + count * format.recordBytes);
    writeU16(frame, 0, count);
    for (let index = 0; index < count; index += 1, at += 1) {
      const packet = packets[at]!;
      const header = new PacketHeader();
      assert.equal(parsePacket(packet, 0, packet.length, packet.length, header), 'ok');
      writeHeaderRecord(frame, 2 + index * format.recordBytes, format.recordBytes, packet, 0, header);
    }
    parts.push(frame);
  }
  return Uint8Array.from(parts.flatMap((part) => Array.from(part)));
}

test('responses that an intercept writes reach their sessions as they were, in any frames and chunks', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...FORMATS),
      fc.uniqueArray(ends, { minLength: 1, maxLength: 6, selector: (flow) => JSON.stringify(flow) }),
      fc.array(fc.tuple(fc.nat(), response), { maxLength: 60 }),
      cutSizes,
      (format, flows, responses, cuts) => {
        const routes = new SessionRoutes(flows.length, 5);
        for (const [index, flow] of flows.entries()) routes.add(packetOf(flow, false, NO_RESPONSE), 0, index + 100);
        const packets = responses.map(([flow, fields]) => packetOf(flows[flow % flows.length]!, true, fields));
        const taken: number[][] = [];
        const reader = new HeaderFrameReader(
          format,
          (bytes, header) => routes.find(bytes, header),
          (bytes, length) => {
            const payload = new HeadersPayload();
            assert.ok(payload.read(bytes, 0, length));
            for (let index = 0; index < payload.count; index += 1) {
              const at = payload.offset + index * payload.strideBytes;
              const fields = [RESPONSE_SESSION_ID, RESPONSE_SEQ, RESPONSE_ACK, RESPONSE_PAYLOAD_BYTES];
              const values = fields.map((field) => readU32(bytes, at + field));
              taken.push([...values, bytes[at + RESPONSE_FLAGS]!, readU16(bytes, at + RESPONSE_WINDOW)]);
            }
          },
        );
        pushCut(framesOf(format, packets, cuts), cuts, (chunk) => assert.ok(reader.push(chunk)));
        const expected = responses.map(([flow, { seq, ack, payloadBytes, flags, window }]) => {
          return [(flow % flows.length) + 100, seq, ack, payloadBytes, flags, window];
        });
        assert.deepEqual(taken, expected);
      },
    ),
  );
});

test('registrations are read as they were written, in any chunks', () => {
  fc.assert(
    fc.property(fc.array(ends, { maxLength: 30 }), cutSizes, (flows, cuts) => {
      const stream = new Uint8Array(flows.length * 14);
      for (const [index, flow] of flows.entries()) {
        writeTunnelAdd(stream, index * 14, packetOf(flow, false, NO_RESPONSE), 0);
      }
      const taken: Ends[] = [];
      const reader = new TunnelMessageReader((bytes, at) => {
        const [client, target] = [readU32(bytes, at), readU32(bytes, at + 8)];
        taken.push({ client, clientPort: readU16(bytes, at + 4), target, targetPort: readU16(bytes, at + 12) });
        return true;
      });
      pushCut(stream, cuts, (chunk) => assert.ok(reader.push(chunk)));
      assert.deepEqual(
        taken,
        flows.map((flow) => ({ ...flow })),
      );
      assert.equal(reader.heldBytes, 0);
    }),
  );
});

test('hostile octets never throw, and every payload that they make can be read', () => {
  const hostile = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      // A count that is accepted, and a record that begins like one.
      fc.uint8Array({ minLength: 80, maxLength: 80 }).map((record) => {
        record.set([0, 1, 0x45], 0);
        record[11] = 6;
        return record;
      }),
    ),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(fc.constantFrom(...FORMATS), hostile, (format, chunks) => {
      let octets = 0;
      const reader = new HeaderFrameReader(
        format,
        () => 7,
        (bytes, length) => {
          const payload = new HeadersPayload();
          assert.ok(payload.read(bytes, 0, length) && payload.count > 0);
          octets += payload.count * format.recordBytes;
        },
      );
      let isReadable = true;
      for (const chunk of chunks) {
        const wasReadable = isReadable;
        isReadable = reader.push(chunk);
        assert.ok(wasReadable || !isReadable, 'a broken reader stays broken');
      }
      assert.ok(octets <= chunks.reduce((sum, chunk) => sum + chunk.length, 0));
      assert.equal(isReadable, reader.oversizedCount === 0);
      const { records, recordsMalformed } = reader.counters;
      assert.equal(octets, (records - recordsMalformed) * format.recordBytes);
    }),
  );
});

test('routes are those of a map, whatever is added and released in whatever order', () => {
  const step = fc.record({ flow: fc.nat({ max: 7 }), session: fc.nat({ max: 7 }), isRelease: fc.boolean() });
  const flows = Array.from({ length: 8 }, (_, index) => ({
    client: 0x0a00_0001 + (index >> 2),
    clientPort: 1000 + (index & 1),
    target: 0x0a00_0009,
    targetPort: 80 + ((index >> 1) & 1),
  }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const routes = new SessionRoutes(8, 1);
      const model = new Map<number, number>();
      for (const { flow, session, isRelease } of steps) {
        for (const [other, owner] of model) if (owner === session) model.delete(other);
        if (isRelease) routes.release(session);
        else {
          model.set(flow, session);
          assert.ok(routes.add(packetOf(flows[flow]!, false, NO_RESPONSE), 0, session));
        }
      }
      const header = new PacketHeader();
      for (const [index, flow] of flows.entries()) {
        const packet = packetOf(flow, true, NO_RESPONSE);
        assert.equal(parsePacket(packet, 0, packet.length, packet.length, header), 'ok');
        assert.equal(routes.find(packet, header), model.get(index) ?? -1);
      }
      assert.equal(routes.size, model.size);
    }),
  );
});
