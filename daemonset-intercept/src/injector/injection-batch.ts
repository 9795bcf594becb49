import {
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  ENTRY_TIME_US,
  ENTRY_WIRE_BYTES,
  PACKET_ENTRY_FIELDS,
  type PacketBatch,
} from '@trafficcopy/core';

/** Points at the packets of one frame that passed; the bytes stay where the channel received them. */
export class InjectionBatch implements PacketBatch {
  bytes: Uint8Array = new Uint8Array(0);
  readonly entries: Uint32Array;
  readonly packetsMax: number;
  count = 0;

  constructor(packetsMax: number) {
    this.packetsMax = packetsMax;
    this.entries = new Uint32Array(packetsMax * PACKET_ENTRY_FIELDS);
  }

  get isFull(): boolean {
    return this.count === this.packetsMax;
  }

  /** Empties it, for packets in `bytes`. */
  reset(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.count = 0;
  }

  add(offset: number, packetBytes: number): void {
    const entry = this.count * PACKET_ENTRY_FIELDS;
    this.entries[entry + ENTRY_OFFSET] = offset;
    this.entries[entry + ENTRY_CAPTURED_BYTES] = packetBytes;
    this.entries[entry + ENTRY_WIRE_BYTES] = packetBytes;
    this.entries[entry + ENTRY_TIME_US] = 0;
    this.count += 1;
  }
}
