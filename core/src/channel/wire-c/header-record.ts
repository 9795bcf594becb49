/**
 * intercept --response headers--> tcpcopy: one record is the first 20 octets of the IP header, the TCP header, and zeros up to
 * the size that the version has. Where options and header do not fit (60 octets of TCP header in a record of 64) they are
 * cut, and the data offset stays as it was. IP options are left out, and the header length stays as it was too.
 */

import { seq } from '../../seq.js';
import { readI32, readU16, writeU16 } from '../../wire/bytes.js';
import { IPPROTO_TCP, IPV4_HEADER_BYTES } from '../../wire/ip-header.js';
import type { PacketHeader } from '../../wire/packet-header.js';
import { TCP_HEADER_BYTES } from '../../wire/tcp.js';
import { parseTcpOptions, type TcpOptions } from '../../wire/tcp-options.js';

/** Where the TCP header stands, whatever the IP header says about its own length. */
const RECORD_TCP = IPV4_HEADER_BYTES;
const RECORD_OPTIONS = RECORD_TCP + TCP_HEADER_BYTES;
/** Largest value of the IP header's length field; super-packets that are longer have 0 there. */
const IP_BYTES_MAX = 0xffff;

/** Writes the record of an IPv4 packet at `packetAt` that {@link parsePacket} has found `ok`. */
export function writeHeaderRecord(
  out: Uint8Array,
  offset: number,
  recordBytes: number,
  packet: Uint8Array,
  packetAt: number,
  header: PacketHeader,
): void {
  const tcpBytes = Math.min(header.payloadOffset - header.transportOffset, recordBytes - RECORD_TCP);
  for (let at = 0; at < IPV4_HEADER_BYTES; at += 1) out[offset + at] = packet[packetAt + at]!;
  for (let at = 0; at < tcpBytes; at += 1) out[offset + RECORD_TCP + at] = packet[header.transportOffset + at]!;
  out.fill(0, offset + RECORD_TCP + tcpBytes, offset + recordBytes);
  // The receiver knows of the payload by this field only.
  if (readU16(out, offset + 2) === 0) writeU16(out, offset + 2, IP_BYTES_MAX);
}

/** Reads a record of `recordBytes` octets. False when it is no IPv4 TCP header; then `header` and `options` are undefined. */
export function readHeaderRecord(
  bytes: Uint8Array,
  offset: number,
  recordBytes: number,
  header: PacketHeader,
  options: TcpOptions,
): boolean {
  if (bytes[offset]! >> 4 !== 4 || bytes[offset + 9] !== IPPROTO_TCP) return false;
  const ipHeaderBytes = (bytes[offset]! & 15) << 2;
  const tcpHeaderBytes = (bytes[offset + RECORD_TCP + 12]! >> 4) << 2;
  if (ipHeaderBytes < IPV4_HEADER_BYTES || tcpHeaderBytes < TCP_HEADER_BYTES) return false;
  const payloadBytes = readU16(bytes, offset + 2) - ipHeaderBytes - tcpHeaderBytes;
  if (payloadBytes < 0) return false;
  const tcp = offset + RECORD_TCP;
  header.version = 4;
  header.addressOffset = offset + 12;
  header.addressBytes = 4;
  header.transportOffset = tcp;
  header.optionsOffset = offset + RECORD_OPTIONS;
  header.payloadOffset = Math.min(tcp + tcpHeaderBytes, offset + recordBytes);
  header.payloadBytes = payloadBytes;
  header.payloadBytesPresent = 0;
  header.sourcePort = readU16(bytes, tcp);
  header.destinationPort = readU16(bytes, tcp + 2);
  header.seq = seq(readI32(bytes, tcp + 4));
  header.ack = seq(readI32(bytes, tcp + 8));
  header.flags = bytes[tcp + 13]!;
  header.window = readU16(bytes, tcp + 14);
  parseTcpOptions(bytes, header.optionsOffset, header.payloadOffset, options);
  return true;
}
