import {
  ACK,
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  ENTRY_WIRE_BYTES,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV6_HEADER_BYTES,
  PACKET_ENTRY_FIELDS,
  type PacketBatch,
  parseIpAddress,
  UDP_HEADER_BYTES,
  writeU16,
} from '@trafficcopy/core';
import { datagram as plainDatagram } from '@trafficcopy/core/kit/datagram.js';
import { plainPacket } from '@trafficcopy/core/kit/plain-packet.js';

export interface PacketTemplate {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly seq?: number;
  readonly flags?: number;
  readonly payload?: Uint8Array;
  readonly identification?: number;
  /** IPv6 only: hop-by-hop options (padding) before the transport. */
  readonly hasHopByHop?: boolean;
}

/** Options of padding (RFC 8200 4.3) behind the number of the transport. */
const HOP_BY_HOP = [0, 1, 4, 0, 0, 0, 0];

/** A TCP packet whose checksums are left out. */
export function packet(template: PacketTemplate): Uint8Array {
  const bytes = plainPacket({
    source: parseIpAddress(template.source)!,
    destination: parseIpAddress(template.destination)!,
    sourcePort: template.sourcePort ?? 40_000,
    destinationPort: template.destinationPort ?? 9,
    seq: template.seq ?? 1,
    ack: 7,
    flags: template.flags ?? ACK,
    payload: template.payload ?? new Uint8Array(0),
  });
  if (bytes[0] === 0x45) writeU16(bytes, 4, template.identification ?? 1);
  return template.hasHopByHop === true ? withHopByHop(bytes, IPPROTO_TCP) : bytes;
}

/** A UDP datagram whose checksums and UDP length are left out. */
export function datagram(template: Omit<PacketTemplate, 'seq' | 'flags'>): Uint8Array {
  const { source, destination, sourcePort = 40_000, destinationPort = 9, payload = new Uint8Array(0) } = template;
  const ends = { from: source, fromPort: sourcePort, to: destination, toPort: destinationPort };
  const bytes = plainDatagram({ ...ends, payload });
  if (bytes[0] === 0x45) writeU16(bytes, 4, template.identification ?? 1);
  writeU16(bytes, bytes.length - payload.length - UDP_HEADER_BYTES + 4, 0);
  return template.hasHopByHop === true ? withHopByHop(bytes, IPPROTO_UDP) : bytes;
}

function withHopByHop(plain: Uint8Array, transport: number): Uint8Array {
  const bytes = Uint8Array.of(
    ...plain.subarray(0, IPV6_HEADER_BYTES),
    ...[transport, ...HOP_BY_HOP],
    ...plain.subarray(IPV6_HEADER_BYTES),
  );
  writeU16(bytes, 4, bytes.length - IPV6_HEADER_BYTES);
  bytes[6] = 0;
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
