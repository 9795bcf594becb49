/**
 * One pending wake-up for each of a fixed set of ids. Hashed wheel over typed arrays: arming, moving and cancelling are
 * O(1) and allocate nothing. Accuracy is one tick: a wake-up comes up to TICK_MS late, never early.
 *
 * Deadlines beyond the wheel's horizon wake early, at the horizon; owners look at their own deadlines and arm again.
 */
import { assert } from '../assert.js';

export const TICK_MS = 2;
const SLOTS = 8192;
const MASK = SLOTS - 1;
/** Farthest wake-up, 16 s. */
const HORIZON_TICKS = SLOTS - 2;
const NONE = -1;

export class TimerWheel {
  /** First id in each slot; then doubly linked through #next and #previous. */
  readonly #heads = new Int32Array(SLOTS).fill(NONE);
  /** One bit for each slot that is not empty. */
  readonly #occupied = new Uint32Array(SLOTS / 32);
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** Tick of the id's wake-up; 0 = not armed. */
  readonly #ticks: Float64Array;
  #tickNow: number;
  #armed = 0;

  /** Ids are 0 to idsMax - 1. */
  constructor(idsMax: number, nowMs: number) {
    this.#next = new Int32Array(idsMax);
    this.#previous = new Int32Array(idsMax);
    this.#ticks = new Float64Array(idsMax);
    this.#tickNow = Math.floor(nowMs / TICK_MS);
  }

  /** Wakes `id` at `deadlineMs` or as soon after as `expire` runs. An earlier wake-up that is armed already stays. */
  arm(id: number, deadlineMs: number): void {
    let tick = Math.ceil(deadlineMs / TICK_MS);
    if (tick <= this.#tickNow) tick = this.#tickNow + 1;
    const armedTick = this.#ticks[id]!;
    if (armedTick !== 0) {
      if (armedTick <= tick) return;
      this.#unlink(id);
    }
    if (tick > this.#tickNow + HORIZON_TICKS) tick = this.#tickNow + HORIZON_TICKS;
    this.#ticks[id] = tick;
    this.#armed += 1;
    const slot = tick & MASK;
    const head = this.#heads[slot]!;
    this.#next[id] = head;
    this.#previous[id] = NONE;
    if (head !== NONE) this.#previous[head] = id;
    this.#heads[slot] = id;
    this.#occupied[slot >>> 5] = this.#occupied[slot >>> 5]! | (1 << (slot & 31));
  }

  cancel(id: number): void {
    if (this.#ticks[id] !== 0) this.#unlink(id);
  }

  /**
   * Calls `wake` for each id that is due; the id is disarmed before. `wake` may arm and cancel any id.
   * A clock that jumps back does nothing; one that jumps far ahead wakes everything once.
   */
  expire(nowMs: number, wake: (id: number) => void): void {
    const target = Math.floor(nowMs / TICK_MS);
    if (target - this.#tickNow > SLOTS) this.#tickNow = target - SLOTS;
    while (this.#tickNow < target) {
      if (this.#armed === 0) {
        this.#tickNow = target;
        return;
      }
      this.#tickNow += 1;
      const slot = this.#tickNow & MASK;
      if ((this.#occupied[slot >>> 5]! & (1 << (slot & 31))) === 0) continue;
      for (let id = this.#heads[slot]!; id !== NONE; id = this.#heads[slot]!) {
        this.#unlink(id);
        wake(id);
      }
    }
  }

  /** When `expire` next has something to do; Infinity when nothing is armed. */
  nextDeadlineMs(): number {
    if (this.#armed === 0) return Number.POSITIVE_INFINITY;
    const start = (this.#tickNow + 1) & MASK;
    for (let step = 0; step < SLOTS; ) {
      const slot = (start + step) & MASK;
      const word = this.#occupied[slot >>> 5]! >>> (slot & 31);
      if (word !== 0) {
        const skip = 31 - Math.clz32(word & -word);
        return (this.#tickNow + 1 + step + skip) * TICK_MS;
      }
      step += 32 - (slot & 31);
    }
    assert(false, 'an armed timer is in some slot');
  }

  #unlink(id: number): void {
    const slot = this.#ticks[id]! & MASK;
    const next = this.#next[id]!;
    const previous = this.#previous[id]!;
    if (next !== NONE) this.#previous[next] = previous;
    if (previous !== NONE) this.#next[previous] = next;
    else {
      this.#heads[slot] = next;
      if (next === NONE) this.#occupied[slot >>> 5] = this.#occupied[slot >>> 5]! & ~(1 << (slot & 31));
    }
    this.#ticks[id] = 0;
    this.#armed -= 1;
  }
}
