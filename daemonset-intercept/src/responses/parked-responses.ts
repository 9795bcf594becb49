/**
 * First responses (SYN-ACK, or RST) of flows that are not known yet: in Direct delivery the SYN travels straight to the target and
 * may overtake its REGISTER. They wait for it shortly, oldest first out. Bounded; sized at start.
 */
import {
  FlowTable,
  type PacketHeader,
  RESPONSE_RECORD_BYTES,
  RESPONSE_SESSION_ID,
  type TcpOptions,
  writeU32,
} from '@trafficcopy/core';
import { writeSegmentRecord } from './response-record-writer.js';

const NONE = -1;
const ADDRESSES_BYTES = 32;

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
  readonly #records: Uint8Array;
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
    this.#records = new Uint8Array(max * RESPONSE_RECORD_BYTES);
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

  /** Keeps the header of a response. The oldest goes when there is no room. */
  park(bytes: Uint8Array, header: PacketHeader, options: TcpOptions, nowMs: number): void {
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
    writeSegmentRecord(this.#records, line * RESPONSE_RECORD_BYTES, 0, header, options);
  }

  /**
   * Looks for the response to the SYN `header` and copies its record, with the session's id, to `out`. False when there is
   * none.
   */
  claim(bytes: Uint8Array, header: PacketHeader, sessionId: number, out: Uint8Array, outOffset: number): boolean {
    if (this.#byClient.size === 0) return false;
    const { addressOffset, addressBytes } = header;
    const line = this.#byClient.get(bytes, addressOffset, addressBytes, header.sourcePort, header.destinationPort);
    if (line === NONE) return false;
    const target = line * ADDRESSES_BYTES + addressBytes;
    for (let index = 0; index < addressBytes; index += 1) {
      if (this.#addresses[target + index] !== bytes[addressOffset + addressBytes + index]) return false;
    }
    const at = line * RESPONSE_RECORD_BYTES;
    out.set(this.#records.subarray(at, at + RESPONSE_RECORD_BYTES), outOffset);
    writeU32(out, outOffset + RESPONSE_SESSION_ID, sessionId);
    this.#take(line);
    return true;
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
