import {
  formatIpAddress,
  IPPROTO_TCP,
  IPV4_HEADER_BYTES,
  IPV6_HEADER_BYTES,
  PacketHeader,
  parseIpAddress,
  parsePacket,
  TCP_HEADER_BYTES,
  writeChecksums,
  writeExperiment,
  writeU16,
  writeU32,
} from '@trafficcopy/core';

export interface PacketTemplate {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly payload: string;
  /** Carry our TCP option, as Direct delivery does. */
  readonly isMarked: boolean;
}

/** A whole packet with right checksums. */
export function craftPacket(template: PacketTemplate): Uint8Array {
  const source = parseIpAddress(template.source)!;
  const destination = parseIpAddress(template.destination)!;
  const payload = new TextEncoder().encode(template.payload);
  const isV4 = source.length === 4;
  const ipBytes = isV4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
  const optionBytes = template.isMarked ? 4 : 0;
  const bytes = new Uint8Array(ipBytes + TCP_HEADER_BYTES + optionBytes + payload.length);
  if (isV4) {
    bytes[0] = 0x45;
    writeU16(bytes, 2, bytes.length);
    bytes[8] = 64;
    bytes[9] = IPPROTO_TCP;
  } else {
    bytes[0] = 0x60;
    writeU16(bytes, 4, bytes.length - ipBytes);
    bytes[6] = IPPROTO_TCP;
    bytes[7] = 64;
  }
  const addressAt = isV4 ? 12 : 8;
  bytes.set(source, addressAt);
  bytes.set(destination, addressAt + source.length);
  writeU16(bytes, ipBytes, template.sourcePort);
  writeU16(bytes, ipBytes + 2, template.destinationPort);
  writeU32(bytes, ipBytes + 4, template.seq);
  writeU32(bytes, ipBytes + 8, template.ack);
  bytes[ipBytes + 12] = ((TCP_HEADER_BYTES + optionBytes) >> 2) << 4;
  bytes[ipBytes + 13] = template.flags;
  writeU16(bytes, ipBytes + 14, 65_535);
  if (template.isMarked) writeExperiment(bytes, ipBytes + TCP_HEADER_BYTES);
  bytes.set(payload, ipBytes + TCP_HEADER_BYTES + optionBytes);
  const header = new PacketHeader();
  if (parsePacket(bytes, 0, bytes.length, bytes.length, header) !== 'ok') throw new Error('template is no packet');
  writeChecksums(bytes, 0, header);
  return bytes;
}

/** `10.1.2.3:80 > 10.1.2.4:4000`. */
export function describePacket(bytes: Uint8Array, offset = 0, length = bytes.length - offset): string {
  const header = new PacketHeader();
  if (parsePacket(bytes, offset, length, length, header) !== 'ok') return 'no packet';
  const { addressOffset: at, addressBytes } = header;
  const source = formatIpAddress(bytes, at, addressBytes);
  const destination = formatIpAddress(bytes, at + addressBytes, addressBytes);
  return `${source}:${header.sourcePort} > ${destination}:${header.destinationPort}`;
}
