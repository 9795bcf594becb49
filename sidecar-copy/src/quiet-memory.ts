/**
 * After a burst: what it took goes back to the system once nothing waits any more. V8 collects when its heap has grown, never because nothing happens, and
 * keeps the pages of what it collected; a process that had a busy minute would stay as large for days.
 */
import type { Engine } from '@trafficcopy/core';

/**
 * So much more than the least since the last time is a burst. To collect everything takes some 100 ms, which the capture buffer bears; the ups and downs of
 * steady traffic are smaller.
 */
const BURST_BYTES_MIN = 64 * 1024 * 1024;

export interface QuietMemoryOptions {
  readonly engine: Pick<Engine, 'giveBackMemory' | 'heldBytes'>;
  /** Octets of the process that are in RAM. */
  readonly residentBytes: () => number;
  /** Collects all that is garbage and lets go of its pages, not at once; undefined where the runtime was not asked to let us (`--expose-gc`). */
  readonly collect: (() => void) | undefined;
}

export class QuietMemory {
  readonly #options: QuietMemoryOptions;
  /** The least since the last collection. */
  #leastBytes = Number.POSITIVE_INFINITY;

  constructor(options: QuietMemoryOptions) {
    this.#options = options;
  }

  /** Call it every few seconds. */
  tick(): void {
    const { engine, residentBytes, collect } = this.#options;
    const bytes = residentBytes();
    this.#leastBytes = Math.min(this.#leastBytes, bytes);
    if (engine.heldBytes > 0 || bytes - this.#leastBytes < BURST_BYTES_MIN) return;
    // What is left then is the least.
    this.#leastBytes = Number.POSITIVE_INFINITY;
    engine.giveBackMemory();
    collect?.();
  }
}
