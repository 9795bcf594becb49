/**
 * The Internet checksum (RFC 1071). Sending leaves checksums to native code; these serve tests, pcap files and the
 * simulation.
 */
import { readU16, writeU16 } from './bytes.js';
import { IPPROTO_TCP } from './ip-header.js';
import type { PacketHeader } from './packet-header.js';

/** The one's complement sum of [offset, offset + length) onto `sum`, not folded; an odd last octet is padded with 0. */
function sumOf(bytes: Uint8Array, offset: number, length: number, sum: number): number {
  let total = sum;
  const even = offset + (length & ~1);
  for (let at = offset; at < even; at += 2) total += readU16(bytes, at);
  if (length & 1) total += bytes[even]! << 8;
  return total;
}

function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = Math.floor(folded / 0x10000) + (folded & 0xffff);
  return folded ^ 0xffff;
}

/** The TCP checksum over pseudo header, header and payload (RFC 9293 3.1, RFC 8200 8.1) with the field taken as it is. */
function tcpSum(bytes: Uint8Array, header: PacketHeader): number {
  const tcpBytes = header.payloadOffset - header.transportOffset + header.payloadBytesPresent;
  const pseudo = sumOf(bytes, header.addressOffset, header.addressBytes * 2, IPPROTO_TCP + tcpBytes);
  return fold(sumOf(bytes, header.transportOffset, tcpBytes, pseudo));
}

/** Fills in the IPv4 header checksum (if IPv4) and the TCP checksum of the parsed packet at `offset`. */
export function writeChecksums(bytes: Uint8Array, offset: number, header: PacketHeader): void {
  if (header.version === 4) {
    writeU16(bytes, offset + 10, 0);
    writeU16(bytes, offset + 10, fold(sumOf(bytes, offset, (bytes[offset]! & 15) << 2, 0)));
  }
  writeU16(bytes, header.transportOffset + 16, 0);
  writeU16(bytes, header.transportOffset + 16, tcpSum(bytes, header));
}

/** Whether the TCP checksum of a whole packet is right. */
export function tcpChecksumIsRight(bytes: Uint8Array, header: PacketHeader): boolean {
  return tcpSum(bytes, header) === 0;
}
