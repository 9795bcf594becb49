import { PACKET_ENTRY_FIELDS, type ReplayBatch } from '@trafficcopy/core';
import { createSinkCounters, type PacketSink } from './packet-sink.js';

/** Keeps copies of the packets: for tests. */
export class MemorySink implements PacketSink {
  readonly counters = createSinkCounters();
  /** The packets, in the order of the batches. */
  readonly packets: Uint8Array[] = [];
  /** How many batches came. */
  batches = 0;

  send(batch: ReplayBatch): void {
    this.batches += 1;
    for (let index = 0; index < batch.count; index += 1) {
      const entry = index * PACKET_ENTRY_FIELDS;
      const offset = batch.entries[entry]!;
      this.packets.push(batch.bytes.slice(offset, offset + batch.entries[entry + 1]!));
    }
    this.counters.packets += batch.count;
    this.counters.bytes += batch.length - batch.headroomBytes;
  }

  useChannel(): void {}

  register(): void {}

  close(): void {}
}
