/**
 * Packets for a recording, made of response records: a copy gets the headers of the target's answers only, and without
 * addresses. What is written is the packet's IP and TCP header with the options that the record names; its payload is
 * missing, as in a capture with a short snap length.
 */
import {
  ACK,
  IPPROTO_TCP,
  IPV4_HEADER_BYTES,
  IPV6_HEADER_BYTES,
  type PacketHeader,
  RESPONSE_ACK,
  RESPONSE_FLAGS,
  RESPONSE_HAS_SACK_PERMITTED,
  RESPONSE_HAS_TIMESTAMPS,
  RESPONSE_HAS_WINDOW_SCALE,
  RESPONSE_MSS,
  RESPONSE_OPTIONS,
  RESPONSE_PAYLOAD_BYTES,
  RESPONSE_SEQ,
  RESPONSE_TS_ECR,
  RESPONSE_TS_VAL,
  RESPONSE_WINDOW,
  RESPONSE_WINDOW_SCALE,
  readU16,
  readU32,
  SYN,
  TCP_HEADER_BYTES,
  TCP_HEADER_BYTES_MAX,
  writeMss,
  writeTimestamps,
  writeU16,
  writeU32,
  writeWindowScale,
} from '@trafficcopy/core';

export const RESPONSE_PACKET_BYTES_MAX = IPV6_HEADER_BYTES + TCP_HEADER_BYTES_MAX;
const TTL = 64;
const OPTION_NOP = 1;
const OPTION_SACK_PERMITTED = 4;

/** The addresses and ports of a flow as its answers have them: those of its SYN, exchanged. */
export class ResponseFlow {
  /** Source address, destination address, 4 or 16 octets each. */
  readonly #addresses: Uint8Array;
  readonly #sourcePort: number;
  readonly #destinationPort: number;

  /** @param bytes where `syn`, the parsed first packet of the flow, lies. Copied. */
  constructor(bytes: Uint8Array, syn: PacketHeader) {
    const { addressOffset: at, addressBytes: length } = syn;
    this.#addresses = new Uint8Array(2 * length);
    this.#addresses.set(bytes.subarray(at + length, at + 2 * length), 0);
    this.#addresses.set(bytes.subarray(at, at + length), length);
    this.#sourcePort = syn.destinationPort;
    this.#destinationPort = syn.sourcePort;
  }

  /**
   * Writes the headers of the response whose record is at `recordAt` of `records` to the start of `out`
   * (RESPONSE_PACKET_BYTES_MAX octets or more) and returns their length. The IP length counts the payload, 0 where it is
   * too large for the field (super-packets). The TCP checksum is 0: nobody can know it without the payload.
   */
  writePacket(records: Uint8Array, recordAt: number, out: Uint8Array): number {
    const isIpv4 = this.#addresses.length === 8;
    const tcpAt = isIpv4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
    const end = this.#writeTcp(records, recordAt, out, tcpAt);
    const payloadBytes = readU32(records, recordAt + RESPONSE_PAYLOAD_BYTES);
    if (isIpv4) this.#writeIpv4(out, end + payloadBytes);
    else this.#writeIpv6(out, end - IPV6_HEADER_BYTES + payloadBytes);
    return end;
  }

  #writeIpv4(out: Uint8Array, totalBytes: number): void {
    out.fill(0, 0, IPV4_HEADER_BYTES);
    out[0] = 0x45;
    writeU16(out, 2, totalBytes > 0xffff ? 0 : totalBytes);
    // Do not fragment.
    out[6] = 0x40;
    out[8] = TTL;
    out[9] = IPPROTO_TCP;
    out.set(this.#addresses, 12);
    let sum = 0;
    for (let at = 0; at < IPV4_HEADER_BYTES; at += 2) sum += readU16(out, at);
    while (sum > 0xffff) sum = (sum >> 16) + (sum & 0xffff);
    writeU16(out, 10, sum ^ 0xffff);
  }

  #writeIpv6(out: Uint8Array, payloadBytes: number): void {
    out.fill(0, 0, IPV6_HEADER_BYTES);
    out[0] = 0x60;
    writeU16(out, 4, payloadBytes > 0xffff ? 0 : payloadBytes);
    out[6] = IPPROTO_TCP;
    out[7] = TTL;
    out.set(this.#addresses, 8);
  }

  /** Returns the end of the header. */
  #writeTcp(records: Uint8Array, recordAt: number, out: Uint8Array, tcpAt: number): number {
    const flags = records[recordAt + RESPONSE_FLAGS]!;
    writeU16(out, tcpAt, this.#sourcePort);
    writeU16(out, tcpAt + 2, this.#destinationPort);
    writeU32(out, tcpAt + 4, readU32(records, recordAt + RESPONSE_SEQ));
    writeU32(out, tcpAt + 8, flags & ACK ? readU32(records, recordAt + RESPONSE_ACK) : 0);
    out[tcpAt + 13] = flags;
    writeU16(out, tcpAt + 14, readU16(records, recordAt + RESPONSE_WINDOW));
    writeU32(out, tcpAt + 16, 0);
    const options = records[recordAt + RESPONSE_OPTIONS]!;
    const mss = flags & SYN ? readU16(records, recordAt + RESPONSE_MSS) : 0;
    let at = tcpAt + TCP_HEADER_BYTES;
    if (mss !== 0) {
      writeMss(out, at, mss);
      at += 4;
    }
    if (options & RESPONSE_HAS_SACK_PERMITTED) {
      out.set([OPTION_NOP, OPTION_NOP, OPTION_SACK_PERMITTED, 2], at);
      at += 4;
    }
    if (options & RESPONSE_HAS_TIMESTAMPS) {
      const tsVal = readU32(records, recordAt + RESPONSE_TS_VAL);
      writeTimestamps(out, at, tsVal, readU32(records, recordAt + RESPONSE_TS_ECR));
      at += 12;
    }
    if (flags & SYN && options & RESPONSE_HAS_WINDOW_SCALE) {
      writeWindowScale(out, at, records[recordAt + RESPONSE_WINDOW_SCALE]!);
      at += 4;
    }
    out[tcpAt + 12] = ((at - tcpAt) >> 2) << 4;
    return at;
  }
}
