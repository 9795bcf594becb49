/** What a C intercept sends, and what a C tcpcopy does: however a stream is cut it is read in the same way, and every payload that it makes is whole. */
import assert from 'node:assert/strict';
import { type FuzzTarget, InputReader } from '@trafficcopy/fuzz';
import {
  HeaderFrameReader,
  HeadersPayload,
  isTunnelHello,
  SessionRoutes,
  TUNNEL_MESSAGE_BYTES,
  TunnelMessageReader,
  WIRE_FORMATS,
  WIRE_PAYLOAD_FORMATS,
  type WireFormat,
} from '../../src/index.js';
import { frameOfOne, HELLO_1X, HELLO_09, octets, REGISTRATION, SYN_ACK } from '../kit/wire-c-octets.js';

const FORMATS = [...Object.values(WIRE_FORMATS), ...Object.values(WIRE_PAYLOAD_FORMATS)];
/** The SYN of the flow that the registration names. */
const SYN = octets('4500002800014000400600000a1300010a130003847a1f9074456600000000005002ffff00000000');

function sumOf(bytes: Uint8Array, start: number, end: number, sum: number): number {
  for (let at = start; at < end; at += 1) sum = (Math.imul(sum, 31) + bytes[at]!) | 0;
  return sum;
}

/** `stream` in pieces, each overwritten after its use. Returns whether all of it could be read. */
function push(stream: Uint8Array, pieceBytes: () => number, take: (chunk: Uint8Array) => boolean): boolean {
  for (let at = 0; at < stream.length; ) {
    const end = Math.min(stream.length, at + pieceBytes());
    const chunk = stream.slice(at, end);
    if (!take(chunk)) return false;
    chunk.fill(0xee);
    at = end;
  }
  return true;
}

/** What a copy makes of a stream. */
function readFrames(format: WireFormat, stream: Uint8Array, pieceBytes: () => number) {
  const routes = new SessionRoutes(2, 1);
  routes.add(SYN, 0, 7);
  let sum = 0;
  let responses = 0;
  const reader = new HeaderFrameReader(
    format,
    (bytes, header) => routes.find(bytes, header),
    (bytes, length) => {
      const payload = new HeadersPayload();
      assert.ok(payload.read(bytes, 0, length) && payload.count > 0);
      responses += payload.count;
      sum = sumOf(bytes, payload.offset, length, sum);
    },
  );
  const isReadable = push(stream, pieceBytes, (chunk) => reader.push(chunk));
  assert.equal(isReadable, reader.oversizedCount === 0);
  const { records, recordsMalformed, recordsUnknown } = reader.counters;
  assert.equal(responses, records - recordsMalformed - recordsUnknown);
  return { sum, isReadable, ...reader.counters };
}

/** What an intercept makes of it. */
function readMessages(stream: Uint8Array, pieceBytes: () => number) {
  let sum = 0;
  let messages = 0;
  const reader = new TunnelMessageReader((bytes, offset) => {
    messages += 1;
    sum = sumOf(bytes, offset, offset + TUNNEL_MESSAGE_BYTES, sum + (isTunnelHello(bytes, offset) ? 1 : 0));
    return true;
  });
  assert.ok(push(stream, pieceBytes, (chunk) => reader.push(chunk)));
  assert.equal(messages, Math.floor(stream.length / TUNNEL_MESSAGE_BYTES));
  assert.equal(reader.heldBytes, stream.length % TUNNEL_MESSAGE_BYTES);
  return { sum, messages };
}

const target: FuzzTarget = {
  seeds: [
    Uint8Array.of(0, 3, 9, ...frameOfOne(SYN_ACK, 80), ...frameOfOne(SYN_ACK, 80)),
    Uint8Array.of(1, 3, 9, ...frameOfOne(SYN_ACK, 64), 0, 0, ...frameOfOne(SYN_ACK, 64)),
    Uint8Array.of(0, 1, 2, ...HELLO_09, ...REGISTRATION),
    Uint8Array.of(1, 1, 2, ...HELLO_1X, ...REGISTRATION, ...REGISTRATION),
  ],
  bytesMax: 1200,
  run: (input) => {
    const reader = new InputReader(input);
    const format = FORMATS[reader.u8() & 3]!;
    const cuts = [reader.u8(), reader.u8()];
    const stream = reader.rest();
    let turn = 0;
    const whole = (): number => Math.max(stream.length, 1);
    const pieces = (): number => 1 + cuts[turn++ & 1]!;
    const frames = readFrames(format, stream, whole);
    assert.deepEqual(readFrames(format, stream, pieces), frames);
    const messages = readMessages(stream, whole);
    assert.deepEqual(readMessages(stream, pieces), messages);
    const counts = [frames.frames, frames.records, frames.recordsMalformed, frames.recordsUnknown, messages.messages];
    return counts.reduce((feature, count) => feature * 5 + Math.min(count, 4), frames.isReadable ? 1 : 0);
  },
};
export default target;
