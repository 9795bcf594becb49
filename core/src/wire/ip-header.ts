/**
 * IP headers up to the transport's, read in place (RFC 791, RFC 8200 section 4).
 *
 * The record is reused for each packet, so nothing is allocated.
 */
import { readU16 } from './bytes.js';

export const IPPROTO_ICMP = 1;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_ICMPV6 = 58;
export const IPV4_HEADER_BYTES = 20;
export const IPV6_HEADER_BYTES = 40;
/** Extension headers that may stand before the transport's (RFC 8200 4.1); a chain is followed for at most this many. */
const IPV6_EXTENSIONS_MAX = 8;

const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION_OPTIONS = 60;

/** What a packet turned out to be. Anything but `ok` leaves the record undefined. */
export const IP_VERDICTS = ['ok', 'tooShort', 'notIp', 'otherProtocol', 'fragment', 'badHeader'] as const;
export type IpVerdict = (typeof IP_VERDICTS)[number];

/** Offsets are absolute in the bytes that were parsed; lengths in octets. */
export class IpHeader {
  version: 4 | 6 = 4;
  /** Where the source address stands; the destination follows it directly. */
  addressOffset = 0;
  /** 4 or 16. */
  addressBytes = 4;
  /** Where the transport's header begins. It may lie behind the captured octets. */
  transportOffset = 0;
  /** Octets of the packet by its length field. */
  ipBytes = 0;
}

/**
 * Parses the IP header at `offset` of a packet that should carry `protocol`.
 *
 * @param wireBytes octets of the packet when it was on the wire (at least capturedBytes); used where the IP length field is
 *   0 as in super-packets above 64 KiB.
 */
export function parseIp(
  bytes: Uint8Array,
  offset: number,
  capturedBytes: number,
  wireBytes: number,
  protocol: number,
  out: IpHeader,
): IpVerdict {
  if (capturedBytes < IPV4_HEADER_BYTES || offset + capturedBytes > bytes.length) return 'tooShort';
  const version = bytes[offset]! >> 4;
  if (version === 4) {
    const headerBytes = (bytes[offset]! & 15) << 2;
    if (headerBytes < IPV4_HEADER_BYTES) return 'badHeader';
    if (bytes[offset + 9] !== protocol) return 'otherProtocol';
    // MF or a fragment offset: only the first fragment has the transport's header.
    if ((readU16(bytes, offset + 6) & 0x3fff) !== 0) return 'fragment';
    const lengthField = readU16(bytes, offset + 2);
    out.ipBytes = lengthField === 0 ? wireBytes : lengthField;
    out.transportOffset = offset + headerBytes;
    out.version = 4;
    out.addressOffset = offset + 12;
    out.addressBytes = 4;
    return 'ok';
  }
  if (version !== 6) return 'notIp';
  if (capturedBytes < IPV6_HEADER_BYTES) return 'tooShort';
  const payloadField = readU16(bytes, offset + 4);
  const end = offset + capturedBytes;
  let next = bytes[offset + 6]!;
  let at = offset + IPV6_HEADER_BYTES;
  for (let hops = 0; next !== protocol; hops += 1) {
    if (next === FRAGMENT) {
      // What it is a fragment of stands first in it (RFC 8200 4.5).
      return at < end && !isProtocolOrExtension(bytes[at]!, protocol) ? 'otherProtocol' : 'fragment';
    }
    if (!isExtension(next)) return 'otherProtocol';
    if (hops === IPV6_EXTENSIONS_MAX) return 'badHeader';
    if (at + 2 > end) return 'tooShort';
    const units = bytes[at + 1]!;
    // RFC 4302 2.2 counts in 4-octet units less 2, RFC 8200 4.3 in 8-octet units less 1.
    const extensionBytes = next === AUTHENTICATION ? (units + 2) << 2 : (units + 1) << 3;
    next = bytes[at]!;
    at += extensionBytes;
  }
  out.ipBytes = payloadField === 0 ? wireBytes : payloadField + IPV6_HEADER_BYTES;
  out.transportOffset = at;
  out.version = 6;
  out.addressOffset = offset + 8;
  out.addressBytes = 16;
  return 'ok';
}

function isExtension(next: number): boolean {
  return next === HOP_BY_HOP || next === ROUTING || next === DESTINATION_OPTIONS || next === AUTHENTICATION;
}

function isProtocolOrExtension(next: number, protocol: number): boolean {
  return next === protocol || isExtension(next);
}
