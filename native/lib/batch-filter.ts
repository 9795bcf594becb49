import { addon, callNative, type NativeBatchFilter } from './addon.js';

/** A libpcap expression (DLT_RAW) for batches of packets that start at their IP header: read from a file, not by a kernel's ring. */
export class BatchFilter {
  readonly #native: NativeBatchFilter;

  /** @throws FilterError */
  constructor(expression: string) {
    this.#native = callNative('compile the capture filter', () => new (addon().BatchFilter)(expression));
  }

  /**
   * Moves the entries of the packets that fit to the front, and with each its number in `timesUs`.
   *
   * @returns how many fit
   */
  select(bytes: Uint8Array, entries: Uint32Array, timesUs: Float64Array, count: number): number {
    return this.#native.select(bytes, entries, timesUs, count);
  }
}
