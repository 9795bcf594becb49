/**
 * The turns of one connection that some session still has to deliver: where each begins in the client's stream, and how
 * much online had answered before it. Indices count all turns of the connection from 0.
 *
 * A turn starts when the client sends after having acknowledged new bytes of online: it has read an answer, so what it
 * sends now may depend on that answer. What it sends without (pipelining, the rest of an upload) belongs to the same turn.
 */
import { assert } from '../assert.js';

/** Forgotten turns are taken out of the arrays in bulk, so that a long backlog does not make each of them dear. */
const FORGOTTEN_MAX = 64;

export class Turns {
  /** Index of the first turn that is kept. */
  firstIndex = 0;
  readonly #offsets: number[] = [];
  readonly #answers: number[] = [];
  /** Turns at the start of the arrays that are forgotten already. */
  #forgotten = 0;

  /** Index that the next turn gets: the number of turns so far. */
  get endIndex(): number {
    return this.firstIndex + this.#offsets.length - this.#forgotten;
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
    const count = Math.min(index, this.endIndex) - this.firstIndex;
    if (count <= 0) return;
    this.firstIndex += count;
    this.#forgotten += count;
    if (this.#forgotten < FORGOTTEN_MAX || this.#forgotten * 2 < this.#offsets.length) return;
    this.#offsets.splice(0, this.#forgotten);
    this.#answers.splice(0, this.#forgotten);
    this.#forgotten = 0;
  }

  #place(index: number): number {
    const place = index - this.firstIndex + this.#forgotten;
    assert(place >= this.#forgotten && place < this.#offsets.length, 'a turn is asked for while it is kept');
    return place;
  }
}
