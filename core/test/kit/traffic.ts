/** Captured packets for the benchmark: one buffer of IPv4 packets whose numbers are patched in place. */
import { PACKET_ENTRY_FIELDS, type PacketBatch } from '../../src/batch/packet-batch.js';
import { writeU16, writeU32 } from '../../src/wire/bytes.js';

const HEADER_BYTES = 52;
const IPV4_BYTES = 20;

/** The port of a client. */
export function trafficPort(client: number): number {
  return 10_000 + (client & 0x3fff);
}

export class Traffic implements PacketBatch {
  readonly bytes: Uint8Array;
  readonly entries: Uint32Array;
  count = 0;
  #length = 0;

  constructor(packetsMax: number, bytesMax: number) {
    this.bytes = new Uint8Array(bytesMax);
    this.entries = new Uint32Array(packetsMax * PACKET_ENTRY_FIELDS);
  }

  clear(): void {
    this.count = 0;
    this.#length = 0;
  }

  /** Appends a packet of client `client` (an address and port of its own) with timestamps and `payloadBytes` octets. */
  append(client: number, seq: number, ack: number, flags: number, payloadBytes: number): void {
    const { bytes } = this;
    const at = this.#length;
    const packetBytes = HEADER_BYTES + payloadBytes;
    writeU16(bytes, at, 0x4500);
    writeU16(bytes, at + 2, packetBytes);
    writeU32(bytes, at + 4, 0x4000);
    bytes[at + 8] = 64;
    bytes[at + 9] = 6;
    writeU32(bytes, at + 12, 0x0a01_0000 + (client >> 14));
    writeU32(bytes, at + 16, 0x0a00_0002);
    const tcp = at + IPV4_BYTES;
    writeU16(bytes, tcp, trafficPort(client));
    writeU16(bytes, tcp + 2, 80);
    writeU32(bytes, tcp + 4, seq);
    writeU32(bytes, tcp + 8, ack);
    bytes[tcp + 12] = 0x80;
    bytes[tcp + 13] = flags;
    writeU16(bytes, tcp + 14, 65_535);
    // NOP NOP TIMESTAMPS, as Linux sends them.
    writeU32(bytes, tcp + 20, 0x0101_080a);
    writeU32(bytes, tcp + 24, 1);
    writeU32(bytes, tcp + 28, 1);
    const entry = this.count * PACKET_ENTRY_FIELDS;
    this.entries[entry] = at;
    this.entries[entry + 1] = packetBytes;
    this.entries[entry + 2] = packetBytes;
    this.count += 1;
    this.#length = (at + packetBytes + 15) & ~15;
  }
}
