/**
 * ICMP's word that a packet was too big for its path: «fragmentation needed» (RFC 792, RFC 1191 4) and «packet too big» (RFC 4443
 * 3.2). It quotes the beginning of that packet.
 */
import { type Seq, seq } from '../seq.js';
import { readI32, readU16, readU32 } from './bytes.js';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPV4_HEADER_BYTES, IPV6_HEADER_BYTES } from './ip-header.js';

const ICMP_HEADER_BYTES = 8;
const DESTINATION_UNREACHABLE = 3;
const FRAGMENTATION_NEEDED = 4;
const PACKET_TOO_BIG = 2;
/** Of the TCP header, ports and sequence number are quoted (RFC 792: 8 octets). */
const QUOTED_TCP_BYTES = 8;

/** One TCP packet that found its path too narrow. Reused: undefined unless the parse said true. Offsets as in PacketHeader. */
export class TooBig {
  /** What the path carries, IP header included; 0: the router does not say (RFC 1191 4). */
  mtuBytes = 0;
  /** Octets of the packet that was too big, by its IP header. */
  packetBytes = 0;
  /** Where its source address stands; the destination follows it directly. */
  addressOffset = 0;
  addressBytes = 4;
  sourcePort = 0;
  destinationPort = 0;
  seq: Seq = seq(0);
}

/** Reads the packet at [offset, offset + capturedBytes), which starts with its IP header, as such an ICMP packet. */
export function parseTooBig(bytes: Uint8Array, offset: number, capturedBytes: number, out: TooBig): boolean {
  const end = offset + capturedBytes;
  if (capturedBytes < IPV4_HEADER_BYTES || end > bytes.length) return false;
  const version = bytes[offset]! >> 4;
  if (version === 4) {
    const at = offset + ((bytes[offset]! & 15) << 2);
    if (bytes[offset + 9] !== IPPROTO_ICMP || at + ICMP_HEADER_BYTES > end) return false;
    if (bytes[at] !== DESTINATION_UNREACHABLE || bytes[at + 1] !== FRAGMENTATION_NEEDED) return false;
    out.mtuBytes = readU16(bytes, at + 6);
    return parseQuoted(bytes, at + ICMP_HEADER_BYTES, end, out) && out.addressBytes === 4;
  }
  const at = offset + IPV6_HEADER_BYTES;
  if (version !== 6 || at + ICMP_HEADER_BYTES > end) return false;
  if (bytes[offset + 6] !== IPPROTO_ICMPV6 || bytes[at] !== PACKET_TOO_BIG) return false;
  out.mtuBytes = readU32(bytes, at + 4);
  return parseQuoted(bytes, at + ICMP_HEADER_BYTES, end, out) && out.addressBytes === 16;
}

/** Reads the TCP packet whose beginning stands at [offset, end). `mtuBytes` stays as it is. */
export function parseQuoted(bytes: Uint8Array, offset: number, end: number, out: TooBig): boolean {
  if (offset + IPV4_HEADER_BYTES > end || end > bytes.length) return false;
  let tcpOffset: number;
  if (bytes[offset]! >> 4 === 4) {
    if (bytes[offset + 9] !== IPPROTO_TCP) return false;
    tcpOffset = offset + ((bytes[offset]! & 15) << 2);
    out.packetBytes = readU16(bytes, offset + 2);
    out.addressOffset = offset + 12;
    out.addressBytes = 4;
  } else {
    // What we send has no extension headers.
    if (bytes[offset]! >> 4 !== 6 || bytes[offset + 6] !== IPPROTO_TCP) return false;
    tcpOffset = offset + IPV6_HEADER_BYTES;
    if (tcpOffset > end) return false;
    out.packetBytes = readU16(bytes, offset + 4) + IPV6_HEADER_BYTES;
    out.addressOffset = offset + 8;
    out.addressBytes = 16;
  }
  if (tcpOffset + QUOTED_TCP_BYTES > end) return false;
  out.sourcePort = readU16(bytes, tcpOffset);
  out.destinationPort = readU16(bytes, tcpOffset + 2);
  out.seq = seq(readI32(bytes, tcpOffset + 4));
  return true;
}
