/** IP and UDP headers of one packet, read in place (RFC 768; RFC 8200 section 4 for what comes before). */
import { readU16 } from './bytes.js';
import { IPPROTO_UDP, IpHeader, type IpVerdict, parseIp } from './ip-header.js';

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
