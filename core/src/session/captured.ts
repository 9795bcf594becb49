/**
 * The captured half: what one client sent to online, put together from the packets that were seen (RFC 9293 3.10.7.4 for
 * what a receiver takes, although we are none: we see the client's segments whether or not online got them).
 *
 *   joining    the connection was running when we first saw it, or bytes are missing; we wait for a turn to begin
 *   open       the stream is complete from where we joined
 *   ended      the client sent FIN or RST, or used its port for another connection; or no session found room for it, and
 *              it is only remembered so that it is counted once
 *
 * Life of a gap: a segment beyond rcvNxt is kept in `outOfOrder`. When the client has heard more from online since, and a
 * second later the missing bytes have not come, they were never captured: the turn that they belong to is lost, and the stream
 * goes on where the next turn begins. A client that has heard nothing may have to repeat them yet (gap-time.ts).
 */
import { add, SEQ_ZERO, type Seq, sizeBetween } from '../seq.js';
import { GapTime } from './gap-time.js';
import type { MappingState } from './mapping-state.js';
import type { Session } from './session.js';
import { StreamBuffer } from './stream-buffer.js';
import { StreamOpening } from './stream-opening.js';
import { Turns } from './turns.js';

/** Octets kept beyond a gap for one connection; more ends the wait for the missing bytes at once. */
export const OUT_OF_ORDER_BYTES_MAX = 4 * 1024 * 1024;
/** What an early segment costs besides its octets: two objects and an array buffer, rounded up. */
export const EARLY_OVERHEAD_BYTES = 256;

export const CAPTURED_JOINING = 0;
export const CAPTURED_OPEN = 1;
export const CAPTURED_ENDED = 2;

export const END_NONE = 0;
export const END_FIN = 1;
export const END_RESET = 2;

/** A segment that came before the bytes in front of it. */
export interface EarlySegment {
  readonly seq: Seq;
  /** A copy. */
  readonly bytes: Uint8Array;
  readonly clientAck: Seq;
  readonly hasFin: boolean;
  readonly isPushed: boolean;
}

/** Comes before the number of any settings; the next one too, of a connection that lost its sessions. */
export const NEVER_JOINED = -1;

/** Shared: most connections have none before their first turn or after their end. */
export const NO_SESSIONS: readonly Session[] = [];

export class Captured {
  /** Index in the engine's table of connections. */
  readonly slot: number;
  readonly mapping: MappingState;
  /** Number of the address and port that the client talks to. */
  readonly online: number;
  readonly clientAddress: Uint8Array;
  readonly clientPort: number;
  state = CAPTURED_JOINING;
  end = END_NONE;
  /** The client's initial sequence number, when its SYN was captured. */
  readonly iss: Seq;
  readonly hasSyn: boolean;
  /** The next octet that the stream lacks (RFC 9293 3.3.1, of a receiver beside online). */
  rcvNxt: Seq = SEQ_ZERO;
  /** Highest acknowledgement of online's bytes. */
  clientAck: Seq = SEQ_ZERO;
  hasClientAck = false;
  /** clientAck when the current turn began. */
  turnAck: Seq = SEQ_ZERO;
  /** Options of the captured SYN. */
  mss = 0;
  offersWindowScale = true;
  offersTimestamps = true;
  readonly stream = new StreamBuffer();
  readonly turns = new Turns();
  outOfOrder: EarlySegment[] | undefined = undefined;
  /** Octets of outOfOrder, overhead included. */
  outOfOrderBytes = 0;
  /** Of the octets that are missing before `outOfOrder`. */
  gapTime: GapTime | undefined = undefined;
  lastSeenMs: number;
  /** The higher, the newer. */
  order = 0;
  sessions: readonly Session[] = NO_SESSIONS;
  /** Settings whose targets it has, or had, sessions for, by number. */
  revision = NEVER_JOINED;
  /** Sessions that it has, or had, towards each target; and how many there would be without a ramp. */
  copies = 0;
  copiesMax = 0;
  /** Looks at the first octets for TLS; undefined when the stream is known to be plain. */
  opening: StreamOpening | undefined;
  /** Octets that online sent before the client's first: a server-first protocol's greeting. */
  greetingBytes = 0;
  /** Octets that online sent between the last turn's start and the client's FIN or RST, online's FIN counted as one. */
  endAnswerBytes = 0;
  /**
   * The last text ended with PSH, which stands on the last segment of what a client has to say (RFC 9293 3.9.1.2). Where it
   * did not, more of the same follows, whatever the client has heard meanwhile: no turn begins.
   */
  isPushed = true;
  /** Whether the connection was seen to send while it could not be joined. */
  sentBeforeJoin = false;
  /** In the replayer's list of connections that may give up bytes and turns. */
  isTrimDue = false;

  constructor(
    slot: number,
    mapping: MappingState,
    online: number,
    clientAddress: Uint8Array,
    clientPort: number,
    iss: Seq | undefined,
    looksForTls: boolean,
    nowMs: number,
  ) {
    this.slot = slot;
    this.mapping = mapping;
    this.online = online;
    this.clientAddress = clientAddress;
    this.clientPort = clientPort;
    this.hasSyn = iss !== undefined;
    this.iss = iss ?? SEQ_ZERO;
    if (iss !== undefined) {
      this.rcvNxt = add(iss, 1);
      this.state = CAPTURED_OPEN;
    }
    this.opening = looksForTls ? new StreamOpening(iss !== undefined) : undefined;
    this.lastSeenMs = nowMs;
  }

  /** Stream offset of the next octet that the stream lacks: its length so far. */
  get streamEnd(): number {
    return this.stream.endOffset;
  }

  /** Stream offset where turn `index` ends so far. */
  endOfTurn(index: number): number {
    const { turns, streamEnd } = this;
    const next = index + 1;
    if (next >= turns.endIndex) return streamEnd;
    return next < turns.firstIndex ? turns.offsetOf(turns.firstIndex) : turns.offsetOf(next);
  }

  /** Whether nothing more of turn `index` will come. */
  hasWholeTurn(index: number): boolean {
    return index + 1 < this.turns.endIndex || this.end !== END_NONE;
  }

  /** Takes note of an acknowledgement; the client's only go forward. */
  noteAck(ack: Seq): void {
    if (!this.hasClientAck) {
      this.hasClientAck = true;
      this.clientAck = ack;
      this.turnAck = ack;
    } else if (sizeBetween(this.clientAck, ack) > 0) {
      this.clientAck = ack;
    } else if (this.hasSyn && this.turns.endIndex === 0 && sizeBetween(this.turnAck, ack) < 0) {
      // The handshake's acknowledgement, overtaken by that of a greeting.
      this.turnAck = ack;
    }
  }

  /** Octets of online that the client has acknowledged since the current turn began. */
  answeredBytes(): number {
    return sizeBetween(this.turnAck, this.clientAck);
  }

  /** Keeps a segment beyond rcvNxt, sorted by sequence number. Returns the octets that this takes. */
  keepEarly(segment: EarlySegment, nowMs: number): number {
    if (this.outOfOrder === undefined) {
      this.outOfOrder = [];
      this.gapTime = new GapTime(segment.clientAck, nowMs);
    }
    const list = this.outOfOrder;
    let at = list.length;
    while (at > 0 && sizeBetween(segment.seq, list[at - 1]!.seq) > 0) at -= 1;
    list.splice(at, 0, segment);
    const bytes = segment.bytes.length + EARLY_OVERHEAD_BYTES;
    this.outOfOrderBytes += bytes;
    return bytes;
  }

  /** Whether an early segment that starts with `first` covers all of this one, which is repeated then. */
  hasEarly(first: Seq, bytes: number, hasFin: boolean): boolean {
    const list = this.outOfOrder;
    if (list === undefined) return false;
    for (let at = list.length - 1; at >= 0; at -= 1) {
      const segment = list[at]!;
      const ahead = sizeBetween(segment.seq, first);
      if (ahead > 0) return false;
      if (ahead === 0 && segment.bytes.length >= bytes && segment.hasFin === hasFin) return true;
    }
    return false;
  }

  /** Forgets the early segments. Returns the octets that this frees. */
  dropEarly(): number {
    const bytes = this.outOfOrderBytes;
    this.outOfOrder = undefined;
    this.gapTime = undefined;
    this.outOfOrderBytes = 0;
    return bytes;
  }
}
