/** IP headers of packets that are made here: no options, no extension headers, checksums 0 (native code fills them in). */
import { writeU16, writeU32 } from './bytes.js';
import type { IpAddress } from './ip-address.js';
import { IPV4_HEADER_BYTES, IPV6_HEADER_BYTES } from './ip-header.js';

const TTL = 64;
const DONT_FRAGMENT = 0x4000;

/** Octets of the IP header that {@link writeIpHeader} writes before a packet from or to this address. */
export function ipHeaderBytes(address: IpAddress): number {
  return address.length === 16 ? IPV6_HEADER_BYTES : IPV4_HEADER_BYTES;
}

/** Writes the header at `start` for `transportBytes` octets behind it, and returns where those begin. Both addresses are of one version. */
export function writeIpHeader(
  bytes: Uint8Array,
  start: number,
  protocol: number,
  transportBytes: number,
  source: IpAddress,
  destination: IpAddress,
): number {
  if (source.length === 16) {
    writeU32(bytes, start, 0x60000000);
    writeU16(bytes, start + 4, transportBytes);
    bytes[start + 6] = protocol;
    bytes[start + 7] = TTL;
    for (let index = 0; index < 16; index += 1) {
      bytes[start + 8 + index] = source[index]!;
      bytes[start + 24 + index] = destination[index]!;
    }
    return start + IPV6_HEADER_BYTES;
  }
  writeU16(bytes, start, 0x4500);
  writeU16(bytes, start + 2, transportBytes + IPV4_HEADER_BYTES);
  writeU16(bytes, start + 4, 0);
  writeU16(bytes, start + 6, DONT_FRAGMENT);
  bytes[start + 8] = TTL;
  bytes[start + 9] = protocol;
  writeU16(bytes, start + 10, 0);
  for (let index = 0; index < 4; index += 1) {
    bytes[start + 12 + index] = source[index]!;
    bytes[start + 16 + index] = destination[index]!;
  }
  return start + IPV4_HEADER_BYTES;
}
