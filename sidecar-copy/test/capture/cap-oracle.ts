/**
 * A program for cap-source.test.ts, run in a host of a lab: captures with the ring and with cap at the same time, until
 * both have seen the packet that ends it (destination port 9), and prints what each saw.
 */
import { createHash } from 'node:crypto';
import {
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  ENTRY_WIRE_BYTES,
  PACKET_ENTRY_FIELDS,
  PacketHeader,
  parsePacket,
} from '@trafficcopy/core';
import { CapSource } from '../../src/capture/cap-source.js';
import type { PacketSource } from '../../src/capture/packet-source.js';
import { RingSource } from '../../src/capture/ring-source.js';

/** What one backend saw; a packet is «length on the wire:hash of its octets». */
export interface Seen {
  readonly packets: string[];
  largestBytes: number;
  isComplete: boolean;
  drops: number;
}

const END_PORT = 9;
const DEADLINE_MS = 20_000;

const options = {
  interfaceName: process.argv[2] ?? '',
  filter: process.argv[3] ?? '',
  bufferBytes: 16 * 1024 * 1024,
};
const sources: PacketSource[] = [new RingSource(options), new CapSource(options)];
const seen = sources.map((): Seen => ({ packets: [], largestBytes: 0, isComplete: false, drops: 0 }));
const header = new PacketHeader();

function watch(source: PacketSource, result: Seen): void {
  source.start(() => {
    while (source.next()) {
      for (let index = 0; index < source.count; index += 1) note(source, index * PACKET_ENTRY_FIELDS, result);
      source.release();
    }
    if (seen.every((one) => one.isComplete)) finish(0);
  });
}

function note(source: PacketSource, entry: number, result: Seen): void {
  const offset = source.entries[entry + ENTRY_OFFSET]!;
  const capturedBytes = source.entries[entry + ENTRY_CAPTURED_BYTES]!;
  const wireBytes = source.entries[entry + ENTRY_WIRE_BYTES]!;
  if (parsePacket(source.bytes, offset, capturedBytes, wireBytes, header) !== 'ok') return;
  if (header.destinationPort === END_PORT) {
    result.isComplete = true;
    return;
  }
  // Ethernet's padding of short frames is part of what a capture returns; only the packet itself is compared.
  const packetEnd = header.payloadOffset + header.payloadBytesPresent;
  const hash = createHash('sha256').update(source.bytes.subarray(offset, packetEnd)).digest('hex').slice(0, 16);
  result.packets.push(`${header.payloadOffset + header.payloadBytes - offset}:${hash}`);
  result.largestBytes = Math.max(result.largestBytes, wireBytes);
}

function finish(status: number): void {
  for (const [index, source] of sources.entries()) {
    seen[index]!.drops = source.statistics().drops;
    source.close();
  }
  process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(status));
}

for (const [index, source] of sources.entries()) watch(source, seen[index]!);
setTimeout(() => finish(1), DEADLINE_MS).unref();
process.stdout.write('capturing\n');
