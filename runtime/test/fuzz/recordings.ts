/** Response records into a recording: the packet that is made of each is one, and its block is as long as it says. */
import assert from 'node:assert/strict';
import {
  PacketHeader,
  parsePacket,
  parseTcpOptions,
  RESPONSE_FLAGS,
  RESPONSE_MSS,
  RESPONSE_RECORD_BYTES,
  readU16,
  readU32,
  TcpOptions,
} from '@trafficcopy/core';
import { type FuzzTarget, InputReader } from '@trafficcopy/fuzz';
import { ANSWERED, PACKET_BLOCK_BYTES, SENT, writePacketBlock } from '../../src/record/pcapng-block.js';
import { RESPONSE_PACKET_BYTES_MAX, ResponseFlow } from '../../src/record/response-packet.js';

const header = new PacketHeader();
const options = new TcpOptions();
const PACKET_BYTES = 64;

/** A flow of the SYN in some octets; undefined when they hold none. */
function flowOf(bytes: Uint8Array): ResponseFlow | undefined {
  return parsePacket(bytes, 0, bytes.length, bytes.length, header) === 'ok'
    ? new ResponseFlow(bytes, header)
    : undefined;
}

const SYN = Uint8Array.of(
  0x45,
  0,
  0,
  40,
  0,
  0,
  0,
  0,
  64,
  6,
  0,
  0,
  10,
  0,
  0,
  1,
  10,
  0,
  0,
  2,
  0x9c,
  0x40,
  0,
  80,
  0,
  0,
  0,
  1,
  0,
  0,
  0,
  0,
  0x50,
  2,
  0xff,
  0xff,
  0,
  0,
  0,
  0,
);

const target: FuzzTarget = {
  seeds: [
    Uint8Array.of(
      ...SYN,
      ...new Uint8Array(PACKET_BYTES - SYN.length),
      ...new Uint8Array(RESPONSE_RECORD_BYTES).fill(7),
      9,
    ),
  ],
  bytesMax: 400,
  run: (input) => {
    const reader = new InputReader(input);
    const syn = reader.bytes(PACKET_BYTES);
    const record = new Uint8Array(RESPONSE_RECORD_BYTES);
    record.set(reader.bytes(RESPONSE_RECORD_BYTES));
    const flow = flowOf(syn);
    if (flow === undefined) return 0;
    const out = new Uint8Array(RESPONSE_PACKET_BYTES_MAX);
    const length = flow.writePacket(record, 0, out);
    const payloadBytes = readU32(record, 16);
    assert.equal(parsePacket(out, 0, length, length + payloadBytes, header), 'ok');
    assert.equal(header.payloadOffset, length);
    parseTcpOptions(out, header.optionsOffset, header.payloadOffset, options);
    // Without SYN the octets of the MSS are a time.
    assert.equal(options.mss, record[RESPONSE_FLAGS]! & 2 ? readU16(record, RESPONSE_MSS) : 0);
    const block = new DataView(new ArrayBuffer(PACKET_BLOCK_BYTES + length + 3));
    const at = writePacketBlock(
      block,
      0,
      reader.u8() & 1 ? SENT : ANSWERED,
      reader.u32() * 2 ** 20,
      length,
      length + payloadBytes,
    );
    const blockBytes = block.getUint32(4, true);
    assert.ok(at + length <= blockBytes && blockBytes <= block.byteLength && blockBytes % 4 === 0);
    assert.equal(block.getUint32(blockBytes - 4, true), blockBytes, 'the length stands at both ends');
    return 1 + length * 8 + (options.hasTimestamps ? 1 : 0) + (options.sackPermitted ? 2 : 0) + header.version * 4096;
  },
};
export default target;
