/**
 * IP and TCP headers of one packet, read in place (RFC 791, RFC 8200 section 4, RFC 9293 3.1).
 *
 * `parsePacket` checks every length once; after `ok` all offsets of the header lie inside the captured bytes. The record
 * is reused for each packet, so nothing is allocated.
 */
import { type Seq, seq } from '../seq.js';
import { readI32, readU16 } from './bytes.js';
import { IPPROTO_TCP, IpHeader, type IpVerdict, parseIp } from './ip-header.js';
import { TCP_HEADER_BYTES } from './tcp.js';

/** Offsets are absolute in the bytes that were parsed; lengths in octets. */
export class PacketHeader extends IpHeader {
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
): IpVerdict {
  const verdict = parseIp(bytes, offset, capturedBytes, wireBytes, IPPROTO_TCP, out);
  if (verdict !== 'ok') return verdict;
  const tcpOffset = out.transportOffset;
  const end = offset + capturedBytes;
  if (tcpOffset + TCP_HEADER_BYTES > end) return 'tooShort';
  const tcpHeaderBytes = (bytes[tcpOffset + 12]! >> 4) << 2;
  if (tcpHeaderBytes < TCP_HEADER_BYTES) return 'badHeader';
  const payloadOffset = tcpOffset + tcpHeaderBytes;
  if (payloadOffset > end) return 'tooShort';
  const payloadBytes = offset + out.ipBytes - payloadOffset;
  if (payloadBytes < 0) return 'badHeader';
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
