/**
 * Writes RST segments as the client of a copied connection would send them, for sessions that nobody continues. The segment
 * is acceptable when its sequence number is exactly what the target expects (RFC 9293 3.10.7.4, RFC 5961 3.2).
 */
import {
  IPPROTO_TCP,
  IPV4_HEADER_BYTES,
  IPV6_HEADER_BYTES,
  type PacketHeader,
  RST,
  type Seq,
  TCP_HEADER_BYTES,
  writeU16,
  writeU32,
} from '@trafficcopy/core';
import type { FlowRegistry } from '../targets/flow-registry.js';
import { InjectionBatch } from './injection-batch.js';
import type { PacketSender } from './packet-sender.js';

const RESETS_MAX = 512;
const RESET_BYTES_MAX = IPV6_HEADER_BYTES + TCP_HEADER_BYTES;
const TTL = 64;
const DONT_FRAGMENT = 0x4000;

export class ResetWriter {
  readonly #batch = new InjectionBatch(RESETS_MAX);
  readonly #bytes = new Uint8Array(RESETS_MAX * RESET_BYTES_MAX);
  readonly #sender: PacketSender;
  #sent = 0;

  constructor(sender: PacketSender) {
    this.#sender = sender;
    this.#batch.reset(this.#bytes);
  }

  /** RST packets that the kernel took, cumulative. */
  get sent(): number {
    return this.#sent;
  }

  /** What the target acknowledged last, and what was sent last: one of them is what it expects. */
  resetFlow(flows: FlowRegistry, flow: number): void {
    const acknowledged = flows.targetRcvNxt(flow);
    const end = flows.sndNxt(flow);
    this.#appendForFlow(flows, flow, acknowledged);
    if (end !== acknowledged) this.#appendForFlow(flows, flow, end);
  }

  /** Answers a response as a host without that connection does: seq is what the response acknowledged (RFC 9293 3.10.7.1). */
  answer(bytes: Uint8Array, response: PacketHeader): void {
    const { addressOffset, addressBytes } = response;
    const at = this.#start(addressBytes);
    const addressAt = at + (addressBytes === 4 ? 12 : 8);
    for (let index = 0; index < addressBytes; index += 1) {
      this.#bytes[addressAt + index] = bytes[addressOffset + addressBytes + index]!;
      this.#bytes[addressAt + addressBytes + index] = bytes[addressOffset + index]!;
    }
    this.#finish(at, addressBytes, response.destinationPort, response.sourcePort, response.ack);
  }

  flush(): void {
    if (this.#batch.count === 0) return;
    this.#sent += this.#sender.send(this.#batch);
    this.#batch.reset(this.#bytes);
  }

  #appendForFlow(flows: FlowRegistry, flow: number, seq: Seq.Seq): void {
    const addressBytes = flows.addressBytesOf(flow);
    const at = this.#start(addressBytes);
    flows.writeAddresses(flow, this.#bytes, at + (addressBytes === 4 ? 12 : 8));
    this.#finish(at, addressBytes, flows.clientPortOf(flow), flows.targetPortOf(flow), seq);
  }

  /** Where the next packet goes; its IP header is there but for the addresses. */
  #start(addressBytes: number): number {
    if (this.#batch.isFull) this.flush();
    const at = this.#batch.count * RESET_BYTES_MAX;
    const bytes = this.#bytes;
    bytes.fill(0, at, at + RESET_BYTES_MAX);
    if (addressBytes === 4) {
      bytes[at] = 0x45;
      writeU16(bytes, at + 2, IPV4_HEADER_BYTES + TCP_HEADER_BYTES);
      writeU16(bytes, at + 6, DONT_FRAGMENT);
      bytes[at + 8] = TTL;
      bytes[at + 9] = IPPROTO_TCP;
    } else {
      bytes[at] = 0x60;
      writeU16(bytes, at + 4, TCP_HEADER_BYTES);
      bytes[at + 6] = IPPROTO_TCP;
      bytes[at + 7] = TTL;
    }
    return at;
  }

  #finish(at: number, addressBytes: number, clientPort: number, targetPort: number, seq: Seq.Seq): void {
    const bytes = this.#bytes;
    const tcp = at + (addressBytes === 4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES);
    writeU16(bytes, tcp, clientPort);
    writeU16(bytes, tcp + 2, targetPort);
    writeU32(bytes, tcp + 4, seq);
    bytes[tcp + 12] = (TCP_HEADER_BYTES / 4) << 4;
    bytes[tcp + 13] = RST;
    this.#batch.add(at, tcp + TCP_HEADER_BYTES - at);
  }
}
