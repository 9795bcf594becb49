/**
 * What is about UDP in the walk back. A datagram belongs to no flow: each is looked at for itself. Nothing of what the target says to
 * its client is returned to the copy; that it never leaves is the rules' doing (rules/datagram-rules.ts), which know
 * answers by where they go. Here they are counted.
 */
import {
  type AddressRange,
  DatagramHeader,
  formatIpAddress,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_UDP,
  IpHeader,
  isInRanges,
  parseIp,
  readU16,
} from '@trafficcopy/core';
import { formatSocketAddress } from '@trafficcopy/runtime';
import type { CopyLink } from './channel/copy-link.js';
import type { InterceptCounters, RefusalReason } from './counters.js';
import { isPlainDatagram } from './injector/packet-check.js';
import type { TargetGate } from './targets/target-gate.js';

/** Of each ICMP error comes its header, then what it is about (RFC 792, RFC 4443 3.1). */
const ICMP_HEADER_BYTES = 8;
/** Type and code of «port unreachable» (RFC 792, RFC 4443 3.1). */
const PORT_UNREACHABLE_V4 = 0x0303;
const PORT_UNREACHABLE_V6 = 0x0104;
/** Targets that are named in the log, each once. */
const TARGETS_NAMED_MAX = 64;

export interface DatagramsOptions {
  /** Addresses that clients of datagrams have; empty: none are taken. */
  readonly clients: readonly AddressRange[];
  readonly gate: TargetGate;
  readonly counters: InterceptCounters;
  /** Nobody listens at `target`, like 10.0.0.2:53. Called once for each. */
  readonly onClosedPort: (target: string) => void;
}

export class Datagrams {
  readonly #clients: readonly AddressRange[];
  readonly #gate: TargetGate;
  readonly #counters: InterceptCounters;
  readonly #onClosedPort: (target: string) => void;
  readonly #header = new DatagramHeader();
  readonly #answer = new IpHeader();
  readonly #quoted = new IpHeader();
  readonly #named = new Set<string>();
  /** Whose datagrams went to the kernel last: it answers them with ICMP within the call. */
  #lastSent: CopyLink | undefined;
  /** When the last one went to the kernel, on the pipeline's clock. */
  lastSentMs = Number.NEGATIVE_INFINITY;

  constructor({ clients, gate, counters, onClosedPort }: DatagramsOptions) {
    this.#clients = clients;
    this.#gate = gate;
    this.#counters = counters;
    this.#onClosedPort = onClosedPort;
  }

  /** Whether a record's datagram may go to the target. */
  admits(link: CopyLink, bytes: Uint8Array, packetAt: number, packetBytes: number): boolean {
    const header = this.#header;
    this.#counters.packetsReceived += 1;
    this.#counters.bytesReceived += packetBytes;
    this.#counters.datagramsReceived += 1;
    if (this.#clients.length === 0) return this.#refuse(link, 'datagramsOff');
    if (!isPlainDatagram(bytes, packetAt, packetBytes, header)) return this.#refuse(link, 'badPacket');
    if (!this.#gate.servesDestination(bytes, header, link.permitted)) return this.#refuse(link, 'targetUnknown');
    // Nothing would keep an answer to any other client here.
    const isClient = isInRanges(bytes, header.addressOffset, header.addressBytes, this.#clients);
    if (!isClient || !this.#gate.permitsSource(bytes, header, link.permitted)) {
      return this.#refuse(link, 'sourceRefused');
    }
    return true;
  }

  /** So many datagrams of a copy went to the kernel, which took `sent` of them. */
  noteSent(link: CopyLink, count: number, sent: number, nowMs: number): void {
    const { tally } = link;
    this.#lastSent = link;
    this.lastSentMs = nowMs;
    this.#counters.datagramsInjected += sent;
    this.#counters.datagramsFailed += count - sent;
    tally.injected += sent;
    tally.failed += count - sent;
  }

  /** Counts a packet of the queue that is no TCP packet. False when it is nothing that the rules for datagrams caught. */
  countAnswer(bytes: Uint8Array, offset: number, capturedBytes: number, wireBytes: number): boolean {
    if (this.#clients.length === 0) return false;
    if (this.#isToClient(bytes, offset, capturedBytes, wireBytes, IPPROTO_UDP)) {
      this.#counters.datagramAnswers += 1;
      this.#counters.datagramAnswerBytes += wireBytes;
      return true;
    }
    const isIcmp =
      this.#isToClient(bytes, offset, capturedBytes, wireBytes, IPPROTO_ICMP) ||
      this.#isToClient(bytes, offset, capturedBytes, wireBytes, IPPROTO_ICMPV6);
    if (isIcmp) this.#countIcmp(bytes, offset + capturedBytes);
    return isIcmp;
  }

  /** Whether it is of that protocol and goes to a client; its headers are in #answer then. */
  #isToClient(bytes: Uint8Array, offset: number, capturedBytes: number, wireBytes: number, protocol: number): boolean {
    const header = this.#answer;
    if (parseIp(bytes, offset, capturedBytes, wireBytes, protocol, header) !== 'ok') return false;
    return isInRanges(bytes, header.addressOffset + header.addressBytes, header.addressBytes, this.#clients);
  }

  #countIcmp(bytes: Uint8Array, end: number): void {
    const { version, transportOffset: at } = this.#answer;
    const expected = version === 4 ? PORT_UNREACHABLE_V4 : PORT_UNREACHABLE_V6;
    if (at + ICMP_HEADER_BYTES > end || readU16(bytes, at) !== expected) {
      this.#counters.datagramIcmp += 1;
      return;
    }
    this.#counters.datagramsUnreachable += 1;
    if (this.#lastSent !== undefined) this.#lastSent.tally.unreachable += 1;
    if (this.#named.size < TARGETS_NAMED_MAX) this.#nameTarget(bytes, at + ICMP_HEADER_BYTES, end);
  }

  /** The datagram that is quoted at `offset` went to a port where nobody listens. */
  #nameTarget(bytes: Uint8Array, offset: number, end: number): void {
    const quoted = this.#quoted;
    if (parseIp(bytes, offset, end - offset, end - offset, IPPROTO_UDP, quoted) !== 'ok') return;
    const { transportOffset, addressOffset, addressBytes } = quoted;
    if (transportOffset + 4 > end) return;
    const host = formatIpAddress(bytes, addressOffset + addressBytes, addressBytes);
    const target = formatSocketAddress({ host, port: readU16(bytes, transportOffset + 2) });
    if (this.#named.has(target)) return;
    this.#named.add(target);
    this.#onClosedPort(target);
  }

  #refuse({ tally }: CopyLink, reason: RefusalReason): false {
    this.#counters.recordsRefused[reason] += 1;
    tally.refused += 1;
    return false;
  }
}
