/**
 * IP and TCP headers of one packet, read in place (RFC 791, RFC 8200 section 4, RFC 9293 3.1).
 *
 * `parsePacket` checks every length once; after `ok` all offsets of the header lie inside the captured bytes. The record
 * is reused for each packet, so nothing is allocated.
 */
import { type Seq, seq } from '../seq.js';
import { readI32, readU16 } from './bytes.js';
import { TCP_HEADER_BYTES } from './tcp.js';

export const IPPROTO_TCP = 6;
export const IPV4_HEADER_BYTES = 20;
export const IPV6_HEADER_BYTES = 40;
/** Extension headers that may stand before TCP (RFC 8200 4.1); a chain is followed for at most this many. */
const IPV6_EXTENSIONS_MAX = 8;

const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION_OPTIONS = 60;

/** What a packet turned out to be. Anything but `ok` leaves the record undefined. */
export const PACKET_VERDICTS = ['ok', 'tooShort', 'notIp', 'notTcp', 'fragment', 'badHeader'] as const;
export type PacketVerdict = (typeof PACKET_VERDICTS)[number];

/** Offsets are absolute in the bytes that were parsed; lengths in octets. */
export class PacketHeader {
  version: 4 | 6 = 4;
  /** Where the source address stands; the destination follows it directly. */
  addressOffset = 0;
  /** 4 or 16. */
  addressBytes = 4;
  tcpOffset = 0;
  optionsOffset = 0;
  payloadOffset = 0;
  /** Payload octets on the wire; for a super-packet all of them. */
  payloadBytes = 0;
  /** Payload octets that are present here: less than payloadBytes when the capture cut the packet. */
  payloadBytesPresent = 0;
  sourcePort = 0;
  destinationPort = 0;
  seq: Seq = seq(0);
  ack: Seq = seq(0);
  flags = 0;
  /** The window field as it stands, not scaled. */
  window = 0;
}

/**
 * Parses the packet at [offset, offset + capturedBytes), which starts with its IP header.
 *
 * @param wireBytes octets of the packet when it was on the wire (at least capturedBytes); used where the IP length field is
 *   0 as in super-packets above 64 KiB. A packet whose end is missing is `ok` as long as its headers are there.
 */
export function parsePacket(
  bytes: Uint8Array,
  offset: number,
  capturedBytes: number,
  wireBytes: number,
  out: PacketHeader,
): PacketVerdict {
  if (capturedBytes < IPV4_HEADER_BYTES || offset + capturedBytes > bytes.length) return 'tooShort';
  const version = bytes[offset]! >> 4;
  let tcpOffset: number;
  let ipBytes: number;
  if (version === 4) {
    const headerBytes = (bytes[offset]! & 15) << 2;
    if (headerBytes < IPV4_HEADER_BYTES) return 'badHeader';
    if (bytes[offset + 9] !== IPPROTO_TCP) return 'notTcp';
    // MF or a fragment offset: TCP never needs fragments, and only the first would have a header.
    if ((readU16(bytes, offset + 6) & 0x3fff) !== 0) return 'fragment';
    ipBytes = readU16(bytes, offset + 2);
    if (ipBytes === 0) ipBytes = wireBytes;
    tcpOffset = offset + headerBytes;
    out.version = 4;
    out.addressOffset = offset + 12;
    out.addressBytes = 4;
  } else if (version === 6) {
    if (capturedBytes < IPV6_HEADER_BYTES) return 'tooShort';
    const payloadField = readU16(bytes, offset + 4);
    ipBytes = payloadField === 0 ? wireBytes : payloadField + IPV6_HEADER_BYTES;
    const end = offset + capturedBytes;
    let next = bytes[offset + 6]!;
    tcpOffset = offset + IPV6_HEADER_BYTES;
    for (let hops = 0; next !== IPPROTO_TCP; hops += 1) {
      if (next === FRAGMENT) return 'fragment';
      const known = next === HOP_BY_HOP || next === ROUTING || next === DESTINATION_OPTIONS || next === AUTHENTICATION;
      if (!known) return 'notTcp';
      if (hops === IPV6_EXTENSIONS_MAX) return 'badHeader';
      if (tcpOffset + 2 > end) return 'tooShort';
      const units = bytes[tcpOffset + 1]!;
      // RFC 4302 2.2 counts in 4-octet units less 2, RFC 8200 4.3 in 8-octet units less 1.
      const extensionBytes = next === AUTHENTICATION ? (units + 2) << 2 : (units + 1) << 3;
      next = bytes[tcpOffset]!;
      tcpOffset += extensionBytes;
    }
    out.version = 6;
    out.addressOffset = offset + 8;
    out.addressBytes = 16;
  } else {
    return 'notIp';
  }
  const end = offset + capturedBytes;
  if (tcpOffset + TCP_HEADER_BYTES > end) return 'tooShort';
  const tcpHeaderBytes = (bytes[tcpOffset + 12]! >> 4) << 2;
  if (tcpHeaderBytes < TCP_HEADER_BYTES) return 'badHeader';
  const payloadOffset = tcpOffset + tcpHeaderBytes;
  if (payloadOffset > end) return 'tooShort';
  const payloadBytes = offset + ipBytes - payloadOffset;
  if (payloadBytes < 0) return 'badHeader';
  out.tcpOffset = tcpOffset;
  out.optionsOffset = tcpOffset + TCP_HEADER_BYTES;
  out.payloadOffset = payloadOffset;
  out.payloadBytes = payloadBytes;
  // Ethernet padding may follow the packet; what the IP header does not count is not payload.
  out.payloadBytesPresent = Math.min(payloadBytes, end - payloadOffset);
  out.sourcePort = readU16(bytes, tcpOffset);
  out.destinationPort = readU16(bytes, tcpOffset + 2);
  out.seq = seq(readI32(bytes, tcpOffset + 4));
  out.ack = seq(readI32(bytes, tcpOffset + 8));
  out.flags = bytes[tcpOffset + 13]!;
  out.window = readU16(bytes, tcpOffset + 14);
  return 'ok';
}
