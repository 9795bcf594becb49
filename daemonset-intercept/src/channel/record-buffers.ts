/** Kept for the next turn of the loop; more of them are left to the garbage collector. */
const SPARE_MAX = 8;

/** Buffers of copies whose records wait for the end of the turn: few at a time, however many copies are connected. */
export class RecordBuffers {
  /** By size: there are two. */
  readonly #spare = new Map<number, Uint8Array[]>();

  take(bytes: number): Uint8Array {
    return this.#spare.get(bytes)?.pop() ?? new Uint8Array(bytes);
  }

  give(buffer: Uint8Array): void {
    const spare = this.#spare.get(buffer.length);
    if (spare === undefined) this.#spare.set(buffer.length, [buffer]);
    else if (spare.length < SPARE_MAX) spare.push(buffer);
  }
}
