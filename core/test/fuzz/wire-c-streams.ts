/** Streams of the C programs' protocol, either way: however they are cut the same comes out, and nothing is held beyond one record. */
import assert from 'node:assert/strict';
import { type FuzzTarget, feature, InputReader } from '@trafficcopy/fuzz';
import { HeadersPayload } from '../../src/channel/headers-payload.js';
import {
  HeaderFrameReader,
  isTunnelHello,
  isTunnelStart,
  SessionRoutes,
  TUNNEL_MESSAGE_BYTES,
  TunnelMessageReader,
  WIRE_FORMATS,
  WIRE_PAYLOAD_FORMATS,
  type WireFormat,
  wireFormatOf,
  writeHeaderRecord,
  writeTunnelAdd,
  writeTunnelHello,
} from '../../src/channel/wire-c/index.js';
import { readU16, readU32 } from '../../src/wire/bytes.js';
import { PacketHeader, parsePacket } from '../../src/wire/packet-header.js';
import { packetOf, TEMPLATE } from '../kit/segment.js';

const FORMATS = [...Object.values(WIRE_FORMATS), ...Object.values(WIRE_PAYLOAD_FORMATS)];
const CLIENT_SYN = packetOf(TEMPLATE);
/** What the target of that session answers. */
const ANSWER = packetOf({
  ...TEMPLATE,
  clientAddress: TEMPLATE.onlineAddress,
  clientPort: TEMPLATE.onlinePort,
  onlineAddress: TEMPLATE.clientAddress,
  onlinePort: TEMPLATE.clientPort,
  mss: 1460,
  tsVal: 7,
});
const SESSION = 77;

function pushInPieces(stream: Uint8Array, chunkBytes: () => number, push: (chunk: Uint8Array) => boolean): boolean {
  let isOpen = true;
  for (let at = 0; at < stream.length && isOpen; ) {
    const end = Math.min(stream.length, at + chunkBytes());
    const chunk = stream.slice(at, end);
    isOpen = push(chunk);
    // A chunk that is used again must not change what was taken from it.
    chunk.fill(0xee);
    at = end;
  }
  return isOpen;
}

/** intercept --response headers--> copy */
function readHeaders(format: WireFormat, stream: Uint8Array, chunkBytes: () => number): string {
  const routes = new SessionRoutes(4, 1);
  routes.add(CLIENT_SYN, 0, SESSION);
  const seen: string[] = [];
  const batch = new HeadersPayload();
  const reader = new HeaderFrameReader(
    format,
    (bytes, header) => routes.find(bytes, header),
    (bytes, length) => {
      assert.ok(batch.read(bytes, 0, length), 'what is made of records is a HEADERS payload');
      for (let index = 0; index < batch.count; index += 1) {
        const at = batch.offset + index * batch.strideBytes;
        assert.equal(readU32(bytes, at), SESSION);
        seen.push(bytes.subarray(at, at + batch.strideBytes).join());
      }
    },
  );
  const isOpen = pushInPieces(stream, chunkBytes, (chunk) => reader.push(chunk));
  const { frames, records, recordsMalformed, recordsUnknown } = reader.counters;
  assert.equal(records, seen.length + recordsMalformed + recordsUnknown, 'records add up');
  assert.equal(isOpen, reader.oversizedCount === 0);
  return `${isOpen} ${frames} ${recordsMalformed} ${recordsUnknown} ${seen.join(';')}`;
}

/** tcpcopy --tunnel messages--> intercept */
function readMessages(stream: Uint8Array, chunkBytes: () => number): string {
  const seen: string[] = [];
  const reader = new TunnelMessageReader((bytes, offset) => {
    const isHello = isTunnelHello(bytes, offset);
    const version = isHello ? wireFormatOf(readU16(bytes, offset + 6))?.version : undefined;
    seen.push(`${isHello} ${version} ${bytes.subarray(offset, offset + TUNNEL_MESSAGE_BYTES).join()}`);
    return seen.length < 40;
  });
  const isOpen = pushInPieces(stream, chunkBytes, (chunk) => {
    const goesOn = reader.push(chunk);
    assert.ok(reader.heldBytes < TUNNEL_MESSAGE_BYTES);
    return goesOn;
  });
  return `${isOpen} ${isTunnelStart(stream, stream.length)} ${seen.join(';')}`;
}

function headersSeed(format: WireFormat, index: number): Uint8Array {
  const header = new PacketHeader();
  parsePacket(ANSWER, 0, ANSWER.length, ANSWER.length, header);
  const record = new Uint8Array(format.recordBytes);
  writeHeaderRecord(record, 0, format.recordBytes, ANSWER, 0, header);
  return Uint8Array.of(index, 3, 50, 0, 2, ...record, ...record, 0, 0, 0, 1, ...record);
}

function messagesSeed(): Uint8Array {
  const messages = new Uint8Array(3 * TUNNEL_MESSAGE_BYTES);
  writeTunnelHello(messages, 0, WIRE_FORMATS['0.9'].helloType);
  writeTunnelAdd(messages, TUNNEL_MESSAGE_BYTES, CLIENT_SYN, 0);
  writeTunnelAdd(messages, 2 * TUNNEL_MESSAGE_BYTES, CLIENT_SYN, 0);
  return Uint8Array.of(FORMATS.length, 5, 20, ...messages);
}

const target: FuzzTarget = {
  // The first octet says which way, and how long records are; the next two how the stream is cut.
  seeds: [...FORMATS.map(headersSeed), messagesSeed()],
  bytesMax: 1200,
  run: (input) => {
    const reader = new InputReader(input);
    const format = FORMATS[reader.u8() % (FORMATS.length + 1)];
    const cuts = [reader.u8(), reader.u8()];
    const stream = reader.rest();
    let turn = 0;
    const chunkBytes = (): number => 1 + cuts[turn++ & 1]!;
    const read = (size: () => number): string =>
      format === undefined ? readMessages(stream, size) : readHeaders(format, stream, size);
    const whole = read(() => stream.length);
    assert.equal(read(chunkBytes), whole);
    return feature(`${format?.version} ${whole.split(' ', 4).join(' ')} ${whole.split(';').length}`);
  },
};
export default target;
