import {
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  ENTRY_WIRE_BYTES,
  PACKET_ENTRY_FIELDS,
  PacketHeader,
  parsePacket,
} from '@trafficcopy/core';
import type { CaptureStatistics, PacketSource } from '../../src/capture/packet-source.js';

/** Whether a packet of the capture is to be missing; the header is valid during the call only. */
export type LossVerdict = (header: PacketHeader, bytes: Uint8Array) => boolean;

/** A capture in which packets are missing: everything of `inner` but what `isLost` picks out. */
export class LossySource implements PacketSource {
  readonly name: string;
  entries = new Uint32Array(0);
  count = 0;
  private readonly inner: PacketSource;
  private readonly isLost: LossVerdict;
  private readonly header = new PacketHeader();

  constructor(inner: PacketSource, isLost: LossVerdict) {
    this.inner = inner;
    this.isLost = isLost;
    this.name = inner.name;
  }

  get bytes(): Uint8Array {
    return this.inner.bytes;
  }

  next(): boolean {
    if (!this.inner.next()) return false;
    const { entries, count } = this.inner;
    if (this.entries.length < count * PACKET_ENTRY_FIELDS) this.entries = new Uint32Array(count * PACKET_ENTRY_FIELDS);
    this.count = 0;
    for (let index = 0; index < count; index += 1) {
      const entry = entries.subarray(index * PACKET_ENTRY_FIELDS, (index + 1) * PACKET_ENTRY_FIELDS);
      if (this.loses(entry)) continue;
      this.entries.set(entry, this.count * PACKET_ENTRY_FIELDS);
      this.count += 1;
    }
    return true;
  }

  private loses(entry: Uint32Array): boolean {
    const { bytes, header } = this;
    const [offset, captured, wire] = [entry[ENTRY_OFFSET]!, entry[ENTRY_CAPTURED_BYTES]!, entry[ENTRY_WIRE_BYTES]!];
    return parsePacket(bytes, offset, captured, wire, header) === 'ok' && this.isLost(header, bytes);
  }

  release(): void {
    this.count = 0;
    this.inner.release();
  }

  start(onReadable: () => void): void {
    this.inner.start(onReadable);
  }

  stop(): void {
    this.inner.stop();
  }

  statistics(): CaptureStatistics {
    return this.inner.statistics();
  }

  setFilter(filter: string): void {
    this.inner.setFilter(filter);
  }

  close(): void {
    this.inner.close();
  }
}
