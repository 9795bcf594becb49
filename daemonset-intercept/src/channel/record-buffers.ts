import { RECORD_BUFFER_BYTES } from './record-format.js';

/** Kept for the next turn of the loop; more of them are left to the garbage collector. */
const SPARE_MAX = 8;

/** Buffers of copies whose records wait for the end of the turn: few at a time, however many copies are connected. */
export class RecordBuffers {
  readonly #spare: Uint8Array[] = [];

  take(): Uint8Array {
    return this.#spare.pop() ?? new Uint8Array(RECORD_BUFFER_BYTES);
  }

  give(buffer: Uint8Array): void {
    if (this.#spare.length < SPARE_MAX) this.#spare.push(buffer);
  }
}
