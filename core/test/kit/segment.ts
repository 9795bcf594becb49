/** Template segments: captured packets of a client, spread over a template. */
import type { PacketBatch } from '../../src/batch/packet-batch.js';
import { ACK } from '../../src/wire/tcp.js';
import { writeMss, writeTimestamps, writeWindowScale } from '../../src/wire/tcp-options.js';
import { plainPacket } from './plain-packet.js';

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
  const { clientAddress, clientPort, onlineAddress, onlinePort, text, ...fields } = segment;
  const from = { source: clientAddress, sourcePort: clientPort };
  const to = { destination: onlineAddress, destinationPort: onlinePort };
  return plainPacket({ ...from, ...to, ...fields, options: optionsOf(segment), payload: text });
}

function optionsOf({ mss, windowScale, tsVal }: Segment): Uint8Array {
  const bytes = new Uint8Array(20);
  let at = 0;
  if (mss !== undefined) {
    writeMss(bytes, at, mss);
    at += 4;
  }
  if (windowScale !== undefined) {
    writeWindowScale(bytes, at, windowScale);
    at += 4;
  }
  if (tsVal !== undefined) {
    writeTimestamps(bytes, at, tsVal, 0);
    at += 12;
  }
  return bytes.subarray(0, at);
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
