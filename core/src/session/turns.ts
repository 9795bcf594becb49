/**
 * The turns of one connection that some session still has to deliver: where each begins in the client's stream, and how
 * much online had answered before it. Indices count all turns of the connection from 0.
 *
 * A turn starts when the client sends after having acknowledged new bytes of online: it has read an answer, so what it
 * sends now may depend on that answer. What it sends without (pipelining, the rest of an upload) belongs to the same turn.
 * When the target has answered a turn before its last bytes were captured, those are counted as a turn of their own, a
 * *continuation*: it belongs on the target connection of the turn before, and on no other.
 */
import { assert } from '../assert.js';

/**
 * Turns of one connection that wait at most; more, and what waits is shed. A client of 7,000 requests a second and
 * connection may be so far ahead of a slower target for 18 s; each place takes 24 octets.
 */
export const TURNS_MAX = 131_072;

/** The turn goes on with the one before it. */
export const TURN_CONTINUES = 1;
/** Bytes of the turn were never captured: it cannot be delivered. */
export const TURN_IS_BROKEN = 2;

/** Numbers for each turn: where it begins, what online answered before it, TURN_* bits. */
const FIELDS = 3;
const ANSWER_FIELD = 1;
const MARKS_FIELD = 2;
const PLACES_AT_FIRST = 2;
/** A ring of more places is given up when nothing waits. */
const PLACES_KEPT_MAX = 64;

export class Turns {
  /** Index of the first turn that is kept. */
  firstIndex = 0;
  /** Index that the next turn gets: the number of turns so far. */
  endIndex = 0;
  /** A ring of a power of two places; turn `index` stands at `index & (places - 1)`. Given up when it is large and empty. */
  #ring: number[] = [0, 0, 0, 0, 0, 0];
  #places = PLACES_AT_FIRST;
  /** Broken turns among those that are kept. */
  brokenCount = 0;

  get count(): number {
    return this.endIndex - this.firstIndex;
  }

  /** Begins a turn at a stream offset, after online had answered `answerBytes` since the turn before began. */
  begin(streamOffset: number, answerBytes: number, marks = 0): void {
    if (this.count === this.#places) this.#grow();
    const at = (this.endIndex & (this.#places - 1)) * FIELDS;
    this.#ring[at] = streamOffset;
    this.#ring[at + ANSWER_FIELD] = answerBytes;
    this.#ring[at + MARKS_FIELD] = marks;
    this.endIndex += 1;
  }

  /** Stream offset where the turn begins. */
  offsetOf(index: number): number {
    return this.#ring[this.#placeOf(index)]!;
  }

  /** Octets that online sent, and the client acknowledged, between the start of the turn before and this one. */
  answerBefore(index: number): number {
    return this.#ring[this.#placeOf(index) + ANSWER_FIELD]!;
  }

  isContinuation(index: number): boolean {
    return (this.#ring[this.#placeOf(index) + MARKS_FIELD]! & TURN_CONTINUES) !== 0;
  }

  isBroken(index: number): boolean {
    return (this.#ring[this.#placeOf(index) + MARKS_FIELD]! & TURN_IS_BROKEN) !== 0;
  }

  /** Bytes of the last turn are missing. */
  breakLast(): void {
    if (this.count === 0) return;
    const at = this.#placeOf(this.endIndex - 1) + MARKS_FIELD;
    if ((this.#ring[at]! & TURN_IS_BROKEN) === 0) this.brokenCount += 1;
    this.#ring[at] = this.#ring[at]! | TURN_IS_BROKEN;
  }

  /** Forgets the turns before `index`. */
  trimTo(index: number): void {
    const end = Math.min(index, this.endIndex);
    while (this.firstIndex < end) {
      if (this.brokenCount > 0 && this.isBroken(this.firstIndex)) this.brokenCount -= 1;
      this.firstIndex += 1;
    }
    if (this.firstIndex === this.endIndex && this.#places > PLACES_KEPT_MAX) {
      this.#ring = [0, 0, 0, 0, 0, 0];
      this.#places = PLACES_AT_FIRST;
    }
  }

  #grow(): void {
    const places = this.#places * 2;
    const ring = new Array<number>(places * FIELDS).fill(0);
    for (let index = this.firstIndex; index < this.endIndex; index += 1) {
      const from = (index & (this.#places - 1)) * FIELDS;
      const to = (index & (places - 1)) * FIELDS;
      for (let field = 0; field < FIELDS; field += 1) ring[to + field] = this.#ring[from + field]!;
    }
    this.#ring = ring;
    this.#places = places;
  }

  #placeOf(index: number): number {
    assert(index >= this.firstIndex && index < this.endIndex, 'a turn is asked for while it is kept');
    return (index & (this.#places - 1)) * FIELDS;
  }
}
