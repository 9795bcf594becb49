/**
 * What one party answered to one turn: the first octets, put together from segments in whatever order and size they come, how many
 * there were in all, and when.
 */

import { httpLength, LENGTH_OPEN } from './http-length.js';

/** Stretches behind a hole that are remembered; what comes beyond it stays a hole. */
const ISLANDS_MAX = 8;
/** Time of an answer that has not begun. */
export const NEVER_US = -1;

export class Answer {
  readonly bytes: Uint8Array;
  /** Octets from the start on that are there, without a hole. */
  haveBytes = 0;
  /** Octets that are known to have been sent. */
  totalBytes = 0;
  /** By a clock of microseconds that wraps at 2^32. */
  firstAtUs = NEVER_US;
  lastAtUs = NEVER_US;
  /** What http-length.ts has found, once it has. */
  #saidBytes = LENGTH_OPEN;
  /** Pairs of start and end, none of them touching another or `haveBytes`; in no order. */
  readonly #islands = new Uint32Array(ISLANDS_MAX * 2);
  #islandCount = 0;

  constructor(bytesMax: number) {
    this.bytes = new Uint8Array(bytesMax);
  }

  clear(): void {
    this.haveBytes = 0;
    this.totalBytes = 0;
    this.firstAtUs = NEVER_US;
    this.lastAtUs = NEVER_US;
    this.#saidBytes = LENGTH_OPEN;
    this.#islandCount = 0;
  }

  /** Octets that it says to have; LENGTH_… where it does not. `isHead`: the request was HEAD. */
  saidBytes(isHead: boolean): number {
    if (this.#saidBytes === LENGTH_OPEN) this.#saidBytes = httpLength(this, isHead);
    return this.#saidBytes;
  }

  /** Whether all of it that is to be kept was seen. */
  get isWhole(): boolean {
    return this.haveBytes >= Math.min(this.totalBytes, this.bytes.length);
  }

  /** Whether octets are missing at the end because no more are kept. */
  get isCut(): boolean {
    return this.totalBytes > this.haveBytes;
  }

  /**
   * Takes a segment that stands at `offset` (0 or more) of the answer and had `segmentBytes` octets, of which the first
   * `presentBytes` stand in `bytes` at `from`. They are copied.
   */
  take(
    offset: number,
    bytes: Uint8Array,
    from: number,
    presentBytes: number,
    segmentBytes: number,
    atUs: number,
  ): void {
    if (segmentBytes === 0) return;
    const end = offset + segmentBytes;
    if (this.firstAtUs === NEVER_US) this.firstAtUs = atUs;
    if (end > this.totalBytes) {
      this.totalBytes = end;
      this.lastAtUs = atUs;
    }
    const keptEnd = Math.min(offset + presentBytes, this.bytes.length);
    if (keptEnd <= Math.max(offset, this.haveBytes)) return;
    // A loop instead of a view: there is one call for each segment.
    for (let at = offset, source = from; at < keptEnd; at += 1, source += 1) this.bytes[at] = bytes[source]!;
    if (offset <= this.haveBytes) this.haveBytes = keptEnd;
    else this.#addIsland(offset, keptEnd);
    this.#reachIslands();
  }

  /** It turns out to have ended at `totalBytes`: what was taken beyond is not of this answer. */
  endAt(totalBytes: number): void {
    this.totalBytes = totalBytes;
    this.haveBytes = Math.min(this.haveBytes, totalBytes);
    this.#islandCount = 0;
  }

  /** Only its first `bytes` octets are of interest, and whether more came is not. */
  shorten(bytes: number): void {
    this.haveBytes = Math.min(this.haveBytes, bytes);
    this.totalBytes = Math.max(this.totalBytes, this.haveBytes + 1);
  }

  #addIsland(start: number, end: number): void {
    const islands = this.#islands;
    let from = start;
    let to = end;
    for (let index = 0; index < this.#islandCount; ) {
      const islandStart = islands[index * 2]!;
      const islandEnd = islands[index * 2 + 1]!;
      if (islandStart > to || islandEnd < from) {
        index += 1;
        continue;
      }
      from = Math.min(from, islandStart);
      to = Math.max(to, islandEnd);
      this.#removeIsland(index);
    }
    if (this.#islandCount === ISLANDS_MAX) return;
    islands[this.#islandCount * 2] = from;
    islands[this.#islandCount * 2 + 1] = to;
    this.#islandCount += 1;
  }

  #removeIsland(index: number): void {
    this.#islandCount -= 1;
    this.#islands.copyWithin(index * 2, this.#islandCount * 2, this.#islandCount * 2 + 2);
  }

  #reachIslands(): void {
    for (let index = 0; index < this.#islandCount; ) {
      if (this.#islands[index * 2]! > this.haveBytes) {
        index += 1;
        continue;
      }
      this.haveBytes = Math.max(this.haveBytes, this.#islands[index * 2 + 1]!);
      this.#removeIsland(index);
      index = 0;
    }
  }
}
