/**
 * A program for nfqueue-package.test.ts, run in a host of a lab: takes the responses of a queue with one backend until
 * told to end, and prints what it saw.
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
import { ResponseQueue } from '@trafficcopy/native';
import { NfqueuePackage } from '../../src/responses/nfqueue-package.js';

/** What one backend saw until the packet that ends it (source port 9). */
export interface Seen {
  /** «length:hash of the first 128 octets» of the crafted responses, in order. */
  readonly packets: string[];
  /** Octets of each connection's stream that came, however they were cut and repeated: client port to count. */
  readonly streamBytes: Record<string, number>;
  largestBytes: number;
  statistics: { packets: number; queueDropped: number; userDropped: number; malformed: number };
}

const END_PORT = 9;
const STREAM_PORT = 7002;
const DEADLINE_MS = 20_000;

const backend = process.argv[2];
const queueNumber = Number(process.argv[3]);
const queue = backend === 'nfqueue' ? new NfqueuePackage({ queueNumber }) : new ResponseQueue({ queueNumber });
const seen: Seen = { packets: [], streamBytes: {}, largestBytes: 0, statistics: queue.statistics() };
/** Octets of streams that came, by client port. */
const streams = new Map<number, Set<number>>();
const header = new PacketHeader();

function note(entry: number): void {
  const offset = queue.entries[entry + ENTRY_OFFSET]!;
  const capturedBytes = queue.entries[entry + ENTRY_CAPTURED_BYTES]!;
  const wireBytes = queue.entries[entry + ENTRY_WIRE_BYTES]!;
  if (parsePacket(queue.bytes, offset, capturedBytes, wireBytes, header) !== 'ok') return;
  if (header.sourcePort === END_PORT) {
    finish(0);
  } else if (header.sourcePort === STREAM_PORT) {
    const stream = streams.get(header.destinationPort) ?? new Set<number>();
    streams.set(header.destinationPort, stream);
    for (let octet = 0; octet < header.payloadBytes; octet += 1) stream.add((header.seq + octet) | 0);
    seen.largestBytes = Math.max(seen.largestBytes, wireBytes);
  } else {
    const hash = createHash('sha256')
      .update(queue.bytes.subarray(offset, offset + capturedBytes))
      .digest('hex');
    seen.packets.push(`${wireBytes}:${hash.slice(0, 16)}`);
  }
}

function finish(status: number): void {
  seen.statistics = queue.statistics();
  for (const [port, stream] of streams) seen.streamBytes[port] = stream.size;
  queue.close();
  process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(status));
}

queue.start(() => {
  while (queue.read()) {
    for (let index = 0; index < queue.count; index += 1) note(index * PACKET_ENTRY_FIELDS);
  }
});
setTimeout(() => finish(1), DEADLINE_MS).unref();
process.stdout.write('reading\n');
