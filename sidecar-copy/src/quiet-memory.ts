/**
 * After a burst: what it took goes back to the system once nothing waits any more. V8 collects when its heap has grown by as much again, or by
 * several times as much after fast growth, and never because nothing happens; a process that had a busy minute would stay as large for days.
 */
import type { Engine } from '@trafficcopy/core';

/** Less payload memory than this is worth no new array. */
const PAYLOAD_BYTES_MIN = 4 * 1024 * 1024;
/** A heap is collected when it has grown by so much since the last time: then it takes some 20 ms, as little of it lives. */
const GARBAGE_BYTES_MIN = 24 * 1024 * 1024;

export interface QuietMemoryOptions {
  readonly engine: Pick<Engine, 'giveBackMemory' | 'heldBytes'>;
  /** Octets of the heap, garbage included. */
  readonly heapBytes: () => number;
  /** Collects what is garbage, not at once; undefined where the runtime was not asked to let us (`--expose-gc`). */
  readonly collect: (() => void) | undefined;
}

export class QuietMemory {
  readonly #options: QuietMemoryOptions;
  /** The smallest heap since the last collection. */
  #leastBytes = Number.POSITIVE_INFINITY;

  constructor(options: QuietMemoryOptions) {
    this.#options = options;
  }

  /** Call it every few seconds. */
  tick(): void {
    const { engine, heapBytes, collect } = this.#options;
    const bytes = heapBytes();
    this.#leastBytes = Math.min(this.#leastBytes, bytes);
    if (engine.heldBytes > 0) return;
    const hasGivenBack = engine.giveBackMemory(PAYLOAD_BYTES_MIN);
    if (!hasGivenBack && bytes - this.#leastBytes < GARBAGE_BYTES_MIN) return;
    // What is left then is the least.
    this.#leastBytes = Number.POSITIVE_INFINITY;
    collect?.();
  }
}
