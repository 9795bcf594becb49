/** IP and UDP headers of one packet, read in place (RFC 768; RFC 8200 section 4 for what comes before). */
import { readU16 } from './bytes.js';
import { IPPROTO_UDP, IPV6_HEADER_BYTES, IpHeader, type IpVerdict, parseIp } from './ip-header.js';

export const UDP_HEADER_BYTES = 8;

/** Offsets are absolute in the bytes that were parsed; lengths in octets. Reused: undefined unless the parse said `ok`. */
export class DatagramHeader extends IpHeader {
  payloadOffset = 0;
  /** Payload octets on the wire. */
  payloadBytes = 0;
  /** Payload octets that are present here: less than payloadBytes when the capture cut the packet. */
  payloadBytesPresent = 0;
  sourcePort = 0;
  destinationPort = 0;
}

/**
 * Parses the packet at [offset, offset + capturedBytes), which starts with its IP header. After `ok` all offsets of the header lie
 * inside the captured bytes. A packet whose end is missing is `ok` as long as its headers are there.
 *
 * @param wireBytes octets of the packet when it was on the wire (at least capturedBytes)
 */
export function parseDatagram(
  bytes: Uint8Array,
  offset: number,
  capturedBytes: number,
  wireBytes: number,
  out: DatagramHeader,
): IpVerdict {
  const verdict = parseIp(bytes, offset, capturedBytes, wireBytes, IPPROTO_UDP, out);
  if (verdict !== 'ok') return verdict;
  const at = out.transportOffset;
  const end = offset + capturedBytes;
  const payloadOffset = at + UDP_HEADER_BYTES;
  if (payloadOffset > end) return 'tooShort';
  const lengthField = readU16(bytes, at + 4);
  const room = offset + out.ipBytes - at;
  // RFC 768 counts the header; RFC 2675 4 has 0 for a jumbogram, which no interface here carries.
  if (lengthField < UDP_HEADER_BYTES || lengthField > room) return 'badHeader';
  out.payloadOffset = payloadOffset;
  out.payloadBytes = lengthField - UDP_HEADER_BYTES;
  out.payloadBytesPresent = Math.min(out.payloadBytes, end - payloadOffset);
  out.sourcePort = readU16(bytes, at);
  out.destinationPort = readU16(bytes, at + 2);
  return 'ok';
}

/** Where the fragment's offset stands in its extension header (RFC 8200 4.5), which is so long. */
const FRAGMENT_OFFSET = 2;
const FRAGMENT_HEADER_BYTES = 8;
const FRAGMENT = 44;

/**
 * Reads addresses and ports of a packet that {@link parseDatagram} called a fragment. False when it is not the first one of a datagram,
 * which alone has the ports.
 */
export function parseFirstFragment(
  bytes: Uint8Array,
  offset: number,
  capturedBytes: number,
  out: DatagramHeader,
): boolean {
  const isV4 = bytes[offset]! >> 4 === 4;
  let at: number;
  if (isV4) {
    if ((readU16(bytes, offset + 6) & 0x1fff) !== 0) return false;
    at = offset + ((bytes[offset]! & 15) << 2);
    out.addressOffset = offset + 12;
  } else {
    const fragment = offset + IPV6_HEADER_BYTES;
    // Fragments with other extension headers before them are not looked at.
    if (bytes[offset + 6] !== FRAGMENT || capturedBytes < IPV6_HEADER_BYTES + FRAGMENT_HEADER_BYTES) return false;
    if (bytes[fragment] !== IPPROTO_UDP || (readU16(bytes, fragment + FRAGMENT_OFFSET) & 0xfff8) !== 0) return false;
    at = fragment + FRAGMENT_HEADER_BYTES;
    out.addressOffset = offset + 8;
  }
  if (at + UDP_HEADER_BYTES > offset + capturedBytes) return false;
  out.version = isV4 ? 4 : 6;
  out.addressBytes = isV4 ? 4 : 16;
  out.transportOffset = at;
  out.payloadOffset = at + UDP_HEADER_BYTES;
  out.payloadBytes = 0;
  out.payloadBytesPresent = 0;
  out.sourcePort = readU16(bytes, at);
  out.destinationPort = readU16(bytes, at + 2);
  return true;
}
