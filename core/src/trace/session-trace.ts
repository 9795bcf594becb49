/**
 * The view of single sessions from outside. Off, it costs the engine a branch at each event. On, each event of a session that fits a filter
 * becomes a record of numbers in a ring that was allocated when it was switched on; who reads it makes text of them. What finds the ring
 * full is dropped and counted.
 */
import { assert } from '../assert.js';
import { TERMINAL_STATES, type TerminalState } from '../counters.js';
import type { Session } from '../session/session.js';
import { hasPrefix } from '../wire/address-range.js';
import { readU32 } from '../wire/bytes.js';
import type { IpAddress } from '../wire/ip-address.js';
import type { PacketHeader } from '../wire/packet-header.js';
import { TRACE_KIND } from './trace-event.js';

/** Fields of a record. */
export const TRACE_AT_MS = 0;
export const TRACE_EVENT = 1;
export const TRACE_ADDRESS_BYTES = 2;
/** Four words, the first one for IPv4. */
export const TRACE_ADDRESS = 3;
export const TRACE_CLIENT_PORT = 7;
export const TRACE_ONLINE_PORT = 8;
export const TRACE_COPY = 9;
export const TRACE_A = 10;
export const TRACE_B = 11;
export const TRACE_C = 12;
/** Which of the filters fit: a bit for each. */
export const TRACE_FITS = 13;
export const TRACE_FIELDS = 14;
/** Filters at one time. */
export const TRACE_FILTERS_MAX = 16;

/** Which sessions are of interest: all that is given must fit. */
export interface TraceFilter {
  readonly clientAddress?: IpAddress | undefined;
  /** Bits of clientAddress that count; undefined: all. */
  readonly prefixBits?: number | undefined;
  readonly clientPort?: number | undefined;
  readonly onlinePort?: number | undefined;
  /** Name of the target. */
  readonly target?: string | undefined;
}

/** Gets one record: `record[at + TRACE_…]`, valid during the call only. `target` is empty where no session was made. */
export type TraceVisitor = (record: Float64Array, at: number, target: string) => void;

export class SessionTrace {
  /** Whether anybody looks: asked before each note. */
  isOn = false;
  /** The engine's time, which it sets whenever it is called. */
  nowMs = 0;
  /** Events that found the ring full. */
  dropped = 0;
  #filters: readonly TraceFilter[] = [];
  #records = new Float64Array(0);
  #targets: string[] = [];
  #eventsMax = 0;
  #first = 0;
  #count = 0;

  /**
   * Notes the events of sessions that fit one of `filters` (TRACE_FILTERS_MAX at most) from now on; none: switches it off. What is in the
   * ring fits the filters before: drain it first.
   */
  follow(filters: readonly TraceFilter[], eventsMax: number): void {
    assert(filters.length <= TRACE_FILTERS_MAX, 'each filter has a bit');
    this.#filters = filters;
    this.isOn = filters.length > 0;
    if (this.isOn && this.#eventsMax === eventsMax) return;
    this.#eventsMax = this.isOn ? eventsMax : 0;
    this.#records = new Float64Array(this.#eventsMax * TRACE_FIELDS);
    this.#targets = new Array<string>(this.#eventsMax).fill('');
    this.#first = 0;
    this.#count = 0;
  }

  note(event: number, { captured, target, copy }: Session, a = 0, b = 0, c = 0): void {
    const { clientAddress, clientPort, mapping } = captured;
    this.#note(
      event,
      clientAddress,
      0,
      clientAddress.length,
      clientPort,
      mapping.onlinePort,
      target.name,
      copy,
      a,
      b,
      c,
    );
  }

  /** A connection of which no session is made: that of the packet. */
  noteNotCopied(bytes: Uint8Array, header: PacketHeader, terminal: TerminalState): void {
    const { addressOffset, addressBytes, sourcePort, destinationPort } = header;
    const a = TERMINAL_STATES.indexOf(terminal);
    this.#note(TRACE_KIND.notCopied, bytes, addressOffset, addressBytes, sourcePort, destinationPort, '', 0, a, 0, 0);
  }

  #note(
    event: number,
    bytes: Uint8Array,
    offset: number,
    addressBytes: number,
    clientPort: number,
    onlinePort: number,
    target: string,
    copy: number,
    a: number,
    b: number,
    c: number,
  ): void {
    const fits = this.#fitting(bytes, offset, addressBytes, clientPort, onlinePort, target);
    if (fits === 0) return;
    if (this.#count === this.#eventsMax) {
      this.dropped += 1;
      return;
    }
    const slot = (this.#first + this.#count) % this.#eventsMax;
    this.#count += 1;
    const records = this.#records;
    const at = slot * TRACE_FIELDS;
    records[at + TRACE_AT_MS] = this.nowMs;
    records[at + TRACE_EVENT] = event;
    records[at + TRACE_ADDRESS_BYTES] = addressBytes;
    for (let word = 0; word < addressBytes / 4; word += 1) {
      records[at + TRACE_ADDRESS + word] = readU32(bytes, offset + word * 4);
    }
    records[at + TRACE_CLIENT_PORT] = clientPort;
    records[at + TRACE_ONLINE_PORT] = onlinePort;
    records[at + TRACE_COPY] = copy;
    records[at + TRACE_A] = a;
    records[at + TRACE_B] = b;
    records[at + TRACE_C] = c;
    records[at + TRACE_FITS] = fits;
    this.#targets[slot] = target;
  }

  #fitting(
    bytes: Uint8Array,
    offset: number,
    addressBytes: number,
    clientPort: number,
    onlinePort: number,
    target: string,
  ): number {
    let fits = 0;
    for (let index = 0; index < this.#filters.length; index += 1) {
      const filter = this.#filters[index]!;
      if (filter.clientPort !== undefined && filter.clientPort !== clientPort) continue;
      if (filter.onlinePort !== undefined && filter.onlinePort !== onlinePort) continue;
      if (filter.target !== undefined && target !== '' && filter.target !== target) continue;
      const { clientAddress, prefixBits } = filter;
      if (clientAddress !== undefined) {
        if (clientAddress.length !== addressBytes) continue;
        if (!hasPrefix(bytes, offset, clientAddress, prefixBits ?? addressBytes * 8)) continue;
      }
      fits |= 1 << index;
    }
    return fits;
  }

  /** Hands out what is in the ring, oldest first, and empties it. */
  drain(visit: TraceVisitor): void {
    for (; this.#count > 0; this.#count -= 1) {
      visit(this.#records, this.#first * TRACE_FIELDS, this.#targets[this.#first]!);
      this.#first = (this.#first + 1) % this.#eventsMax;
    }
  }
}
