/**
 * What the engine sends: crafted packets for one lane (one intercept), in the layout of a PACKETS frame's payload, so
 * that Tunnel delivery puts the bytes on the wire as they stand and Direct delivery finds each packet by its entry.
 *
 * A record is 8 octets of header (session id u32, packet octets u16, kind u8, 0 u8, big-endian) and the packet, padded to
 * a multiple of 4. Checksum fields are 0: native code fills them in when it sends.
 */
import { writeU16, writeU32 } from '../wire/bytes.js';
import {
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  ENTRY_TIME_US,
  ENTRY_WIRE_BYTES,
  PACKET_ENTRY_FIELDS,
} from './packet-batch.js';

export const REPLAY_RECORD_HEADER_BYTES = 8;

/** A packet of a flow that intercept knows. */
export const RECORD_PACKET = 0;
/** The SYN of a flow: intercept learns from it which session answers belong to, then injects it. */
export const RECORD_OPEN = 1;
/** The flow ends: no packet; intercept forgets it. */
export const RECORD_RELEASE = 2;
/** A UDP datagram, which belongs to no flow: session id 0. In PACKETS only, to an intercept that takes datagrams. */
export const RECORD_DATAGRAM = 3;

export class ReplayBatch {
  /** Octets kept free before the first record, where a sink writes a frame header. */
  readonly headroomBytes: number;
  readonly bytes: Uint8Array;
  /** As in PacketBatch, one for each record with a packet. */
  readonly entries: Uint32Array;
  /** Packets in `entries`. */
  count = 0;
  /** End of the last record in `bytes`; headroomBytes when empty. */
  length: number;

  /** `bytesMax` octets of records and `packetsMax` packets at most between two calls of {@link clear}. */
  constructor(bytesMax: number, packetsMax: number, headroomBytes = 16) {
    this.headroomBytes = headroomBytes;
    this.bytes = new Uint8Array(headroomBytes + bytesMax);
    this.entries = new Uint32Array(packetsMax * PACKET_ENTRY_FIELDS);
    this.length = headroomBytes;
  }

  get isEmpty(): boolean {
    return this.length === this.headroomBytes;
  }

  clear(): void {
    this.count = 0;
    this.length = this.headroomBytes;
  }

  /** Whether a packet of `packetBytes` octets fits. */
  hasRoom(packetBytes: number): boolean {
    return (
      this.length + REPLAY_RECORD_HEADER_BYTES + packetBytes + 3 <= this.bytes.length &&
      (this.count + 1) * PACKET_ENTRY_FIELDS <= this.entries.length
    );
  }

  /** Appends a record and returns the offset in `bytes` where its packet is to be written. The caller checked the room. */
  append(sessionId: number, kind: number, packetBytes: number): number {
    const at = this.length;
    const bytes = this.bytes;
    writeU32(bytes, at, sessionId);
    writeU16(bytes, at + 4, packetBytes);
    bytes[at + 6] = kind;
    bytes[at + 7] = 0;
    const packetAt = at + REPLAY_RECORD_HEADER_BYTES;
    this.length = packetAt + ((packetBytes + 3) & ~3);
    if (packetBytes > 0) {
      const entry = this.count * PACKET_ENTRY_FIELDS;
      this.entries[entry + ENTRY_OFFSET] = packetAt;
      this.entries[entry + ENTRY_CAPTURED_BYTES] = packetBytes;
      this.entries[entry + ENTRY_WIRE_BYTES] = packetBytes;
      this.entries[entry + ENTRY_TIME_US] = 0;
      this.count += 1;
    }
    return packetAt;
  }
}
