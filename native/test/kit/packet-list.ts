import {
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  ENTRY_WIRE_BYTES,
  IPPROTO_TCP,
  IPV4_HEADER_BYTES,
  IPV6_HEADER_BYTES,
  PACKET_ENTRY_FIELDS,
  type PacketBatch,
  parseIpAddress,
  TCP_HEADER_BYTES,
  writeU16,
  writeU32,
} from '@trafficcopy/core';

export interface PacketTemplate {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly seq?: number;
  readonly flags?: number;
  readonly payload?: Uint8Array;
  readonly identification?: number;
  /** IPv6 only: hop-by-hop options (padding) before TCP. */
  readonly hasHopByHop?: boolean;
}

const HOP_BY_HOP_BYTES = 8;

/** A TCP packet whose checksums are left out. */
export function packet(template: PacketTemplate): Uint8Array {
  const source = parseIpAddress(template.source)!;
  const destination = parseIpAddress(template.destination)!;
  const payload = template.payload ?? new Uint8Array(0);
  const extensionBytes = template.hasHopByHop === true ? HOP_BY_HOP_BYTES : 0;
  const tcpAt = (source.length === 4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES) + extensionBytes;
  const bytes = new Uint8Array(tcpAt + TCP_HEADER_BYTES + payload.length);
  if (source.length === 4) {
    bytes[0] = 0x45;
    writeU16(bytes, 2, bytes.length);
    writeU16(bytes, 4, template.identification ?? 1);
    bytes[8] = 64;
    bytes[9] = IPPROTO_TCP;
    bytes.set(source, 12);
    bytes.set(destination, 16);
  } else {
    bytes[0] = 0x60;
    writeU16(bytes, 4, bytes.length - IPV6_HEADER_BYTES);
    bytes[6] = extensionBytes > 0 ? 0 : IPPROTO_TCP;
    bytes[7] = 64;
    bytes.set(source, 8);
    bytes.set(destination, 24);
    if (extensionBytes > 0) bytes.set([IPPROTO_TCP, 0, 1, 4, 0, 0, 0, 0], IPV6_HEADER_BYTES);
  }
  writeU16(bytes, tcpAt, template.sourcePort ?? 40_000);
  writeU16(bytes, tcpAt + 2, template.destinationPort ?? 9);
  writeU32(bytes, tcpAt + 4, template.seq ?? 1);
  writeU32(bytes, tcpAt + 8, 7);
  bytes[tcpAt + 12] = (TCP_HEADER_BYTES / 4) << 4;
  bytes[tcpAt + 13] = template.flags ?? 0x10;
  writeU16(bytes, tcpAt + 14, 0xffff);
  bytes.set(payload, tcpAt + TCP_HEADER_BYTES);
  return bytes;
}

/** A batch of these packets, one after the other. */
export function batchOf(packets: readonly Uint8Array[]): PacketBatch & { readonly bytes: Uint8Array } {
  const bytes = Buffer.concat(packets);
  const entries = new Uint32Array(packets.length * PACKET_ENTRY_FIELDS);
  let offset = 0;
  for (const [index, one] of packets.entries()) {
    entries[index * PACKET_ENTRY_FIELDS + ENTRY_OFFSET] = offset;
    entries[index * PACKET_ENTRY_FIELDS + ENTRY_CAPTURED_BYTES] = one.length;
    entries[index * PACKET_ENTRY_FIELDS + ENTRY_WIRE_BYTES] = one.length;
    offset += one.length;
  }
  return { bytes: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length), entries, count: packets.length };
}

/** Copies of the packets in a batch. */
export function packetsOf(batch: PacketBatch): Uint8Array[] {
  return Array.from({ length: batch.count }, (_, index) => {
    const entry = index * PACKET_ENTRY_FIELDS;
    const offset = batch.entries[entry + ENTRY_OFFSET]!;
    return batch.bytes.slice(offset, offset + batch.entries[entry + ENTRY_CAPTURED_BYTES]!);
  });
}

/** `length` octets that differ from their neighbours and from those of another seed. */
export function pattern(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8) * 7 + seed) & 255);
}
