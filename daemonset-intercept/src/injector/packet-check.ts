import { IPV4_HEADER_BYTES, IPV6_HEADER_BYTES, type PacketHeader, parsePacket, readU16 } from '@trafficcopy/core';

/**
 * Whether the bytes are exactly one plain TCP packet: no octet missing or left over, no IP options, no extension headers
 * (routing headers among them), no fragment. `header` is filled in when they are. Reads only.
 */
export function isPlainPacket(bytes: Uint8Array, offset: number, packetBytes: number, header: PacketHeader): boolean {
  if (parsePacket(bytes, offset, packetBytes, packetBytes, header) !== 'ok') return false;
  const ipHeaderBytes = header.version === 4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
  if (header.transportOffset !== offset + ipHeaderBytes) return false;
  // A length field of 0 stands for "more than 64 KiB", which no record holds.
  const lengthField =
    header.version === 4 ? readU16(bytes, offset + 2) : readU16(bytes, offset + 4) + IPV6_HEADER_BYTES;
  return lengthField === packetBytes && header.payloadOffset + header.payloadBytes === offset + packetBytes;
}
