/** One direction of a network: what goes in comes out late, twice, in another order, or never. */
import type { Random } from '../kit/random.js';
import type { EventQueue } from './event-queue.js';

export interface LinkOptions {
  /** Share of packets that do not arrive; those with a wrong checksum count as such. */
  readonly loss: number;
  readonly duplication: number;
  /** Share of packets that others overtake. */
  readonly reordering: number;
  readonly delayMs: number;
  readonly jitterMs: number;
  /** Larger packets vanish, octets. */
  readonly mtuBytes: number;
}

export const PERFECT_LINK: LinkOptions = {
  loss: 0,
  duplication: 0,
  reordering: 0,
  delayMs: 0.1,
  jitterMs: 0,
  mtuBytes: 65_535,
};

export class NetworkLink {
  options: LinkOptions;
  lost = 0;
  /** Told of packets that were too big. */
  onTooBig: ((packet: Uint8Array) => void) | undefined;
  readonly #queue: EventQueue;
  readonly #random: Random;
  #lastMs = 0;

  constructor(queue: EventQueue, random: Random, options: LinkOptions) {
    this.#queue = queue;
    this.#random = random;
    this.options = options;
  }

  /** Calls `arrive` once for each time that a packet of so many octets arrives. */
  carry(octets: number, arrive: () => void, packet?: Uint8Array): void {
    const { loss, duplication, mtuBytes } = this.options;
    if (octets > mtuBytes) {
      this.lost += 1;
      if (packet !== undefined) this.onTooBig?.(packet);
      return;
    }
    if (loss > 0 && this.#random.chance(loss)) {
      this.lost += 1;
      return;
    }
    this.#deliver(arrive);
    if (duplication > 0 && this.#random.chance(duplication)) this.#deliver(arrive);
  }

  #deliver(arrive: () => void): void {
    const { reordering, delayMs, jitterMs } = this.options;
    const jitter = jitterMs > 0 ? this.#random.next() * jitterMs : 0;
    let atMs = this.#queue.nowMs + delayMs + jitter;
    if (reordering > 0 && this.#random.chance(reordering)) {
      atMs += this.#random.next() * (2 + 2 * delayMs);
    } else {
      atMs = Math.max(atMs, this.#lastMs);
      this.#lastMs = atMs;
    }
    this.#queue.at(atMs, arrive);
  }
}
