import {
  type DatagramHeader,
  IPV4_HEADER_BYTES,
  IPV6_HEADER_BYTES,
  type IpHeader,
  type PacketHeader,
  parseDatagram,
  parsePacket,
  readU16,
} from '@trafficcopy/core';

/**
 * Whether the bytes are exactly one plain TCP packet: no octet missing or left over, no IP options, no extension headers
 * (routing headers among them), no fragment. `header` is filled in when they are. Reads only.
 */
export function isPlainPacket(bytes: Uint8Array, offset: number, packetBytes: number, header: PacketHeader): boolean {
  return (
    parsePacket(bytes, offset, packetBytes, packetBytes, header) === 'ok' && isWhole(bytes, offset, packetBytes, header)
  );
}

/** The same of a UDP datagram. One to port 0 is none: nobody listens there (RFC 768). */
export function isPlainDatagram(
  bytes: Uint8Array,
  offset: number,
  packetBytes: number,
  header: DatagramHeader,
): boolean {
  return (
    parseDatagram(bytes, offset, packetBytes, packetBytes, header) === 'ok' &&
    header.destinationPort !== 0 &&
    isWhole(bytes, offset, packetBytes, header)
  );
}

function isWhole(
  bytes: Uint8Array,
  offset: number,
  packetBytes: number,
  header: IpHeader & { readonly payloadOffset: number; readonly payloadBytes: number },
): boolean {
  const ipHeaderBytes = header.version === 4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
  if (header.transportOffset !== offset + ipHeaderBytes) return false;
  // A length field of 0 stands for "more than 64 KiB", which no record holds.
  const lengthField =
    header.version === 4 ? readU16(bytes, offset + 2) : readU16(bytes, offset + 4) + IPV6_HEADER_BYTES;
  return lengthField === packetBytes && header.payloadOffset + header.payloadBytes === offset + packetBytes;
}
