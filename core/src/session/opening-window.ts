/**
 * How many target connections of clients that have gone already may be on their way into an endpoint at one time.
 *
 * A copy that had to wait for the processor finds seconds of captured packets at once. Connections that followed each other
 * at online would all begin in the same moment then: more than the target's listener has room for (Linux: its SYN queue and
 * its accept queue, 128 to 4,096 each), more than the client has ports for. Who still has its client keeps that client's
 * pace, and online's number of connections. The others go by this window. It is a congestion window (RFC 5681), counted in
 * connections: one more for each whose text the target took, up to where room was short last; beyond that, more slowly. A
 * SYN, or text before the first answer, that gets no acknowledgement in time halves it: that is how a full listener shows.
 * As it takes a second to show, and a second may be a thousand round trips, the window doubles once in that time at most.
 *
 * A connection takes its place with its SYN and leaves it with the first answer: until then it may stand in a queue of the
 * target. The others wait in the order in which they came, for as long as for a response.
 */
import { assert } from '../assert.js';
import type { Session } from './session.js';

/** Where a session stands. */
export const NOT_OPENING = 0;
/** Its client has opened its connection: a target connection is to be opened, with or without a turn. */
export const IS_TO_OPEN = 1;
export const WAITS_TO_OPEN = 2;
/** It has a place. */
export const OPENS = 3;

/** A listener has room for so many, whatever its backlog (Linux takes it times one and a half, and SYNs are apart). */
export const OPENINGS_AT_FIRST = 64;
const OPENINGS_MIN = 32;
const OPENINGS_MAX = 1024;
/** The first timeout of a SYN (RFC 6298 2.1): what is lost in this time was lost by one fullness. */
const INTERVAL_MS = 1000;
/** Beyond where room was short last: one more for so many that were taken. */
const ACCEPTED_FOR_ONE = 32;
/** Places of the queue that were left behind before it is cut. */
const QUEUE_SLACK = 1024;

export class OpeningWindow {
  #size = OPENINGS_AT_FIRST;
  /** From here on it grows slowly. */
  #threshold = OPENINGS_MAX;
  #taken = 0;
  /** Of those since it grew last, beyond the threshold. */
  #accepted = 0;
  #shrunkMs = Number.NEGATIVE_INFINITY;
  /** Since when it grows towards twice of what it was then. */
  #growsSinceMs = Number.NEGATIVE_INFINITY;
  #growsTo = OPENINGS_AT_FIRST;
  /** In order; those that do not wait any more are passed over. Each session is in it once, unless it left its endpoint and came back. */
  #queue: Session[] = [];
  #head = 0;

  /** How many may open at one time. */
  get size(): number {
    return this.#size;
  }

  /** Whether the session has a place. If not, it waits for one, and {@link next} says when it is there. */
  enter(session: Session): boolean {
    if (session.opening >= WAITS_TO_OPEN) return session.opening === OPENS;
    if (this.#taken < this.#size && this.#head === this.#queue.length) {
      this.#admit(session);
      return true;
    }
    session.opening = WAITS_TO_OPEN;
    this.#queue.push(session);
    return false;
  }

  /** A session with a place needs it no more. */
  leave(): void {
    this.#taken -= 1;
    assert(this.#taken >= 0, 'a place is left once');
  }

  /** The next of those that wait for which there is a place, which it has then. */
  next(): Session | undefined {
    while (this.#taken < this.#size && this.#head < this.#queue.length) {
      const session = this.#queue[this.#head]!;
      this.#head += 1;
      if (this.#head === this.#queue.length || (this.#head > QUEUE_SLACK && this.#head * 2 > this.#queue.length)) {
        this.#queue = this.#queue.slice(this.#head);
        this.#head = 0;
      }
      if (session.opening !== WAITS_TO_OPEN || session.endpoint?.openings !== this) continue;
      this.#admit(session);
      return session;
    }
    return undefined;
  }

  /** The target has taken text of a connection that opens. A window that nobody waits for says nothing about how large it may be. */
  noteAccepted(nowMs: number): void {
    if (this.#head === this.#queue.length) return;
    if (nowMs - this.#growsSinceMs >= INTERVAL_MS) {
      this.#growsSinceMs = nowMs;
      this.#growsTo = Math.min(2 * this.#size, OPENINGS_MAX);
    }
    if (this.#size >= this.#growsTo) return;
    this.#accepted += 1;
    if (this.#size >= this.#threshold && this.#accepted < ACCEPTED_FOR_ONE) return;
    this.#accepted = 0;
    this.#size += 1;
  }

  /** What a connection sent that opens was not acknowledged in time. */
  noteLost(nowMs: number): void {
    if (nowMs - this.#shrunkMs < INTERVAL_MS) return;
    this.#shrunkMs = nowMs;
    this.#size = Math.max(this.#size >> 1, OPENINGS_MIN);
    this.#threshold = this.#size;
    this.#accepted = 0;
  }

  #admit(session: Session): void {
    session.opening = OPENS;
    this.#taken += 1;
  }
}
