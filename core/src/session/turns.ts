/**
 * The turns of one connection that some session still has to deliver: where each begins in the client's stream, and how
 * much online had answered before it. Indices count all turns of the connection from 0.
 *
 * A turn starts when the client sends after having acknowledged new bytes of online: it has read an answer, so what it
 * sends now may depend on that answer. What it sends without (pipelining, the rest of an upload) belongs to the same turn.
 */
import { assert } from '../assert.js';

export class Turns {
  /** Index of the first turn that is kept. */
  firstIndex = 0;
  readonly #offsets: number[] = [];
  readonly #answers: number[] = [];

  /** Index that the next turn gets: the number of turns so far. */
  get endIndex(): number {
    return this.firstIndex + this.#offsets.length;
  }

  /** Begins a turn at a stream offset, after online had answered `answerBytes` since the turn before began. */
  begin(streamOffset: number, answerBytes: number): void {
    this.#offsets.push(streamOffset);
    this.#answers.push(answerBytes);
  }

  /** Stream offset where the turn begins. */
  offsetOf(index: number): number {
    return this.#offsets[this.#place(index)]!;
  }

  /** Octets that online sent, and the client acknowledged, between the start of the turn before and this one. */
  answerBefore(index: number): number {
    return this.#answers[this.#place(index)]!;
  }

  /** Forgets the turns before `index`. */
  trimTo(index: number): void {
    while (this.firstIndex < index && this.#offsets.length > 0) {
      this.#offsets.shift();
      this.#answers.shift();
      this.firstIndex += 1;
    }
  }

  #place(index: number): number {
    const place = index - this.firstIndex;
    assert(place >= 0 && place < this.#offsets.length, 'a turn is asked for while it is kept');
    return place;
  }
}
