import { closeSync, openSync, writeSync } from 'node:fs';
import { ENTRY_CAPTURED_BYTES, ENTRY_OFFSET, PACKET_ENTRY_FIELDS, type ReplayBatch } from '@trafficcopy/core';
import { createSinkCounters, type PacketSink } from './packet-sink.js';

const LINKTYPE_RAW = 101;

/**
 * Writes the packets to a file in libpcap's format instead of sending them: for tests and for looking at what would be
 * sent. Writes synchronously; throws the error of the file system when it is opened, and counts failed packets afterwards.
 */
export class PcapSink implements PacketSink {
  readonly counters = createSinkCounters();
  private readonly fd: number;
  private readonly nowMs: () => number;
  private readonly recordHeader = Buffer.alloc(16);

  /** @param nowMs time for the records: milliseconds since 1970 */
  constructor(file: string, nowMs: () => number) {
    this.fd = openSync(file, 'w');
    this.nowMs = nowMs;
    const header = Buffer.alloc(24);
    header.writeUInt32LE(0xa1b2c3d4, 0);
    header.writeUInt16LE(2, 4);
    header.writeUInt16LE(4, 6);
    header.writeUInt32LE(0x40000, 16);
    header.writeUInt32LE(LINKTYPE_RAW, 20);
    writeSync(this.fd, header);
  }

  send(batch: ReplayBatch): void {
    const nowMs = this.nowMs();
    const header = this.recordHeader;
    header.writeUInt32LE(Math.floor(nowMs / 1000), 0);
    header.writeUInt32LE((nowMs % 1000) * 1000, 4);
    for (let index = 0; index < batch.count; index += 1) {
      const entry = index * PACKET_ENTRY_FIELDS;
      const packetBytes = batch.entries[entry + ENTRY_CAPTURED_BYTES]!;
      header.writeUInt32LE(packetBytes, 8);
      header.writeUInt32LE(packetBytes, 12);
      try {
        writeSync(this.fd, header);
        writeSync(this.fd, batch.bytes, batch.entries[entry + ENTRY_OFFSET]!, packetBytes);
        this.counters.packets += 1;
        this.counters.bytes += packetBytes;
      } catch {
        this.counters.packetsFailed += 1;
      }
    }
  }

  useChannel(): void {}

  register(): void {}

  close(): void {
    closeSync(this.fd);
  }
}
