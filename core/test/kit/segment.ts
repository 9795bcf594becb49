/** Template segments: captured packets of a client, spread over a template. */
import type { PacketBatch } from '../../src/batch/packet-batch.js';
import { writeU16, writeU32 } from '../../src/wire/bytes.js';
import { ACK, TCP_HEADER_BYTES } from '../../src/wire/tcp.js';
import { writeMss, writeTimestamps, writeWindowScale } from '../../src/wire/tcp-options.js';

export interface Segment {
  clientAddress: readonly number[];
  clientPort: number;
  onlineAddress: readonly number[];
  onlinePort: number;
  seq: number;
  ack: number;
  flags: number;
  window: number;
  text: Uint8Array;
  mss?: number;
  windowScale?: number;
  tsVal?: number;
}

export const TEMPLATE: Segment = {
  clientAddress: [10, 0, 0, 1],
  clientPort: 40000,
  onlineAddress: [10, 0, 0, 2],
  onlinePort: 80,
  seq: 1000,
  ack: 5000,
  flags: ACK,
  window: 65535,
  text: new Uint8Array(0),
};

/** The bytes of one IPv4 or IPv6 packet. */
export function packetOf(segment: Segment): Uint8Array {
  const isV6 = segment.clientAddress.length === 16;
  const options =
    (segment.mss === undefined ? 0 : 4) +
    (segment.windowScale === undefined ? 0 : 4) +
    (segment.tsVal === undefined ? 0 : 12);
  const ipBytes = isV6 ? 40 : 20;
  const bytes = new Uint8Array(ipBytes + TCP_HEADER_BYTES + options + segment.text.length);
  if (isV6) {
    bytes[0] = 0x60;
    writeU16(bytes, 4, bytes.length - 40);
    bytes[6] = 6;
    bytes[7] = 64;
    bytes.set(segment.clientAddress, 8);
    bytes.set(segment.onlineAddress, 24);
  } else {
    bytes[0] = 0x45;
    writeU16(bytes, 2, bytes.length);
    bytes[8] = 64;
    bytes[9] = 6;
    bytes.set(segment.clientAddress, 12);
    bytes.set(segment.onlineAddress, 16);
  }
  const tcp = ipBytes;
  writeU16(bytes, tcp, segment.clientPort);
  writeU16(bytes, tcp + 2, segment.onlinePort);
  writeU32(bytes, tcp + 4, segment.seq);
  writeU32(bytes, tcp + 8, segment.ack);
  bytes[tcp + 12] = ((TCP_HEADER_BYTES + options) >> 2) << 4;
  bytes[tcp + 13] = segment.flags;
  writeU16(bytes, tcp + 14, segment.window);
  let at = tcp + TCP_HEADER_BYTES;
  if (segment.mss !== undefined) {
    writeMss(bytes, at, segment.mss);
    at += 4;
  }
  if (segment.windowScale !== undefined) {
    writeWindowScale(bytes, at, segment.windowScale);
    at += 4;
  }
  if (segment.tsVal !== undefined) {
    writeTimestamps(bytes, at, segment.tsVal, 0);
    at += 12;
  }
  bytes.set(segment.text, at);
  return bytes;
}

/** A batch of the packets, as a ring would hand it over. */
export function batchOf(packets: readonly Uint8Array[]): PacketBatch {
  const total = packets.reduce((sum, packet) => sum + packet.length, 0);
  const bytes = new Uint8Array(total);
  const entries = new Uint32Array(packets.length * 4);
  let at = 0;
  for (const [index, packet] of packets.entries()) {
    bytes.set(packet, at);
    entries.set([at, packet.length, packet.length, 0], index * 4);
    at += packet.length;
  }
  return { bytes, entries, count: packets.length };
}

export function textOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
