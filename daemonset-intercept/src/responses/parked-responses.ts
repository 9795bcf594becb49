/**
 * First responses (SYN-ACK, or RST) of flows that are not known yet: in Direct delivery the SYN travels straight to the target and
 * may overtake its REGISTER. They wait for it shortly, oldest first out. Bounded; sized at start.
 */
import { FlowTable, type PacketHeader } from '@trafficcopy/core';

const NONE = -1;
const ADDRESSES_BYTES = 32;
/** IPv6 and TCP header with every option, and some room for extension headers: as much as the queue copies of a packet. */
const HEADER_BYTES_MAX = 128;

export class ParkedResponses {
  readonly #max: number;
  readonly #waitMs: number;
  /** By client; the port of the target stands in the endpoint's place. */
  readonly #byClient: FlowTable;
  /** Client address, then target address. */
  readonly #addresses: Uint8Array;
  readonly #addressBytes: Uint8Array;
  readonly #clientPorts: Uint16Array;
  readonly #targetPorts: Uint16Array;
  /** The headers of the packets; HEADER_BYTES_MAX for each line. */
  readonly bytes: Uint8Array;
  readonly #headerBytes: Uint8Array;
  readonly #packetBytes: Uint32Array;
  readonly #sinceMs: Float64Array;
  /** A ring: the oldest, and how many. Lines that were taken stay in it, marked by an address length of 0. */
  #first = 0;
  #count = 0;
  #unclaimed = 0;

  constructor(max: number, waitMs: number, seed: number) {
    this.#max = max;
    this.#waitMs = waitMs;
    this.#byClient = new FlowTable(max, seed);
    this.#addresses = new Uint8Array(max * ADDRESSES_BYTES);
    this.#addressBytes = new Uint8Array(max);
    this.#clientPorts = new Uint16Array(max);
    this.#targetPorts = new Uint16Array(max);
    this.bytes = new Uint8Array(max * HEADER_BYTES_MAX);
    this.#headerBytes = new Uint8Array(max);
    this.#packetBytes = new Uint32Array(max);
    this.#sinceMs = new Float64Array(max);
  }

  /** Responses for which nobody came, cumulative. */
  get unclaimed(): number {
    return this.#unclaimed;
  }

  /** Whether any waits. */
  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Keeps the headers of the packet at `packetAt`. The oldest goes when there is no room. */
  park(bytes: Uint8Array, packetAt: number, header: PacketHeader, nowMs: number): void {
    const headerBytes = header.payloadOffset - packetAt;
    if (headerBytes > HEADER_BYTES_MAX) {
      this.#unclaimed += 1;
      return;
    }
    if (this.#count === this.#max) this.#dropFirst();
    const line = (this.#first + this.#count) % this.#max;
    const { addressOffset, addressBytes } = header;
    const clientOffset = addressOffset + addressBytes;
    const known = this.#byClient.get(bytes, clientOffset, addressBytes, header.destinationPort, header.sourcePort);
    if (known !== NONE) this.#take(known);
    this.#count += 1;
    this.#byClient.set(bytes, clientOffset, addressBytes, header.destinationPort, header.sourcePort, line);
    const at = line * ADDRESSES_BYTES;
    this.#addresses.set(bytes.subarray(clientOffset, clientOffset + addressBytes), at);
    this.#addresses.set(bytes.subarray(addressOffset, addressOffset + addressBytes), at + addressBytes);
    this.#addressBytes[line] = addressBytes;
    this.#clientPorts[line] = header.destinationPort;
    this.#targetPorts[line] = header.sourcePort;
    this.#sinceMs[line] = nowMs;
    this.bytes.set(bytes.subarray(packetAt, header.payloadOffset), line * HEADER_BYTES_MAX);
    this.#headerBytes[line] = headerBytes;
    this.#packetBytes[line] = headerBytes + header.payloadBytes;
  }

  /** The line of the response to the packet `header` (its addresses stand in `bytes`), or -1. */
  find(bytes: Uint8Array, header: PacketHeader): number {
    if (this.#byClient.size === 0) return NONE;
    const { addressOffset, addressBytes } = header;
    const line = this.#byClient.get(bytes, addressOffset, addressBytes, header.sourcePort, header.destinationPort);
    if (line === NONE) return NONE;
    const target = line * ADDRESSES_BYTES + addressBytes;
    for (let index = 0; index < addressBytes; index += 1) {
      if (this.#addresses[target + index] !== bytes[addressOffset + addressBytes + index]) return NONE;
    }
    return line;
  }

  /** Where the packet of a line stands in {@link bytes}. */
  packetAt(line: number): number {
    return line * HEADER_BYTES_MAX;
  }

  /** Octets of it that were kept. */
  headerBytesOf(line: number): number {
    return this.#headerBytes[line]!;
  }

  /** Octets that it had. */
  packetBytesOf(line: number): number {
    return this.#packetBytes[line]!;
  }

  /** Its flow has come: the line is free again. */
  claim(line: number): void {
    this.#take(line);
  }

  /** Forgets what has waited too long. */
  expire(nowMs: number): void {
    while (this.#count > 0) {
      const line = this.#first;
      if (this.#addressBytes[line] !== 0 && nowMs - this.#sinceMs[line]! < this.#waitMs) return;
      this.#dropFirst();
    }
  }

  #dropFirst(): void {
    const line = this.#first;
    if (this.#addressBytes[line] !== 0) {
      this.#take(line);
      this.#unclaimed += 1;
    }
    this.#first = (line + 1) % this.#max;
    this.#count -= 1;
  }

  #take(line: number): void {
    const at = line * ADDRESSES_BYTES;
    const ports = [this.#clientPorts[line]!, this.#targetPorts[line]!] as const;
    this.#byClient.delete(this.#addresses, at, this.#addressBytes[line]!, ports[0], ports[1]);
    this.#addressBytes[line] = 0;
  }
}
