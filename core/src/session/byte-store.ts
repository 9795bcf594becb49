/**
 * Memory for the client streams of all connections: blocks of one fixed size in one array that is sized at start. The
 * operating system commits its pages when they are first touched; freed blocks are used again first.
 */
import { assert } from '../assert.js';

export const BLOCK_BYTES = 2048;
export const NO_BLOCK = -1;

export class ByteStore {
  #bytes: Uint8Array;
  /** Next block of a chain, or of the free list. */
  readonly next: Int32Array;
  readonly blocksMax: number;
  #free = NO_BLOCK;
  /** Blocks from here on were never touched. */
  #fresh = 0;
  #used = 0;

  constructor(bytesMax: number) {
    this.blocksMax = Math.max(1, Math.floor(bytesMax / BLOCK_BYTES));
    this.#bytes = new Uint8Array(this.blocksMax * BLOCK_BYTES);
    this.next = new Int32Array(this.blocksMax);
  }

  /** Another array after {@link giveBack}. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get usedBytes(): number {
    return this.#used * BLOCK_BYTES;
  }

  /** A block of undefined content, or NO_BLOCK at the limit. */
  allocate(): number {
    let block = this.#free;
    if (block !== NO_BLOCK) this.#free = this.next[block]!;
    else if (this.#fresh < this.blocksMax) {
      block = this.#fresh;
      this.#fresh += 1;
    } else return NO_BLOCK;
    this.next[block] = NO_BLOCK;
    this.#used += 1;
    return block;
  }

  release(block: number): void {
    assert(block >= 0 && block < this.#fresh, 'a released block was allocated');
    this.next[block] = this.#free;
    this.#free = block;
    this.#used -= 1;
  }

  /** Lets go of the pages that were touched, if they are `touchedBytesMin` octets at least and no block is in use. Returns whether it did. */
  giveBack(touchedBytesMin: number): boolean {
    if (this.#used > 0 || this.#fresh === 0 || this.#fresh * BLOCK_BYTES < touchedBytesMin) return false;
    this.#bytes = new Uint8Array(this.blocksMax * BLOCK_BYTES);
    this.#free = NO_BLOCK;
    this.#fresh = 0;
    return true;
  }
}
