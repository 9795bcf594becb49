/**
 * The part of one client's byte stream that some target has not acknowledged yet: [startOffset, endOffset), in a chain of
 * blocks. Offsets count from the first byte of the stream that was captured.
 */
import { assert } from '../assert.js';
import { copyBytes } from '../wire/bytes.js';
import { BLOCK_BYTES, type ByteStore, NO_BLOCK } from './byte-store.js';

export class StreamBuffer {
  startOffset = 0;
  endOffset = 0;
  #first = NO_BLOCK;
  #last = NO_BLOCK;
  /** Stream offset of the first byte of block #first. */
  #firstOffset = 0;
  /** Where the last read ended: block, and stream offset of that block's first byte. */
  #cursor = NO_BLOCK;
  #cursorOffset = 0;

  get heldBytes(): number {
    return this.endOffset - this.startOffset;
  }

  /** Appends a copy. False, and nothing appended, when the store has no room. */
  append(store: ByteStore, bytes: Uint8Array, offset: number, length: number): boolean {
    const used = this.#first === NO_BLOCK ? 0 : (this.endOffset - this.#firstOffset) % BLOCK_BYTES;
    const room = used === 0 ? 0 : BLOCK_BYTES - used;
    let block = this.#last;
    if (length > room) {
      const head = this.#grow(store, Math.ceil((length - room) / BLOCK_BYTES));
      if (head === NO_BLOCK) return false;
      if (room === 0) block = head;
    }
    let from = offset;
    let left = length;
    let at = used;
    while (left > 0) {
      const part = Math.min(left, BLOCK_BYTES - at);
      copyBytes(bytes, from, store.bytes, block * BLOCK_BYTES + at, part);
      from += part;
      left -= part;
      at = 0;
      if (left > 0) block = store.next[block]!;
    }
    this.endOffset += length;
    return true;
  }

  /** Chains `count` more blocks to the end; the first of them, or NO_BLOCK and nothing chained. */
  #grow(store: ByteStore, count: number): number {
    let head = NO_BLOCK;
    let tail = NO_BLOCK;
    for (let made = 0; made < count; made += 1) {
      const block = store.allocate();
      if (block === NO_BLOCK) {
        while (head !== NO_BLOCK) {
          const next = store.next[head]!;
          store.release(head);
          head = next;
        }
        return NO_BLOCK;
      }
      if (head === NO_BLOCK) head = block;
      else store.next[tail] = block;
      tail = block;
    }
    if (this.#first === NO_BLOCK) {
      this.#first = head;
      this.#firstOffset = this.endOffset;
    } else {
      store.next[this.#last] = head;
    }
    this.#last = tail;
    return head;
  }

  /** Copies [streamOffset, streamOffset + length), all of which is held, to `out`. */
  read(store: ByteStore, streamOffset: number, length: number, out: Uint8Array, outOffset: number): void {
    assert(streamOffset >= this.startOffset && streamOffset + length <= this.endOffset, 'only held bytes are read');
    let block = this.#first;
    let blockOffset = this.#firstOffset;
    if (this.#cursor !== NO_BLOCK && this.#cursorOffset <= streamOffset) {
      block = this.#cursor;
      blockOffset = this.#cursorOffset;
    }
    while (blockOffset + BLOCK_BYTES <= streamOffset) {
      block = store.next[block]!;
      blockOffset += BLOCK_BYTES;
    }
    let to = outOffset;
    let left = length;
    let at = streamOffset - blockOffset;
    for (;;) {
      const part = Math.min(left, BLOCK_BYTES - at);
      copyBytes(store.bytes, block * BLOCK_BYTES + at, out, to, part);
      to += part;
      left -= part;
      if (left === 0) break;
      block = store.next[block]!;
      blockOffset += BLOCK_BYTES;
      at = 0;
    }
    this.#cursor = block;
    this.#cursorOffset = blockOffset;
  }

  /** Gives up everything before `streamOffset`. */
  trimTo(store: ByteStore, streamOffset: number): void {
    if (streamOffset <= this.startOffset) return;
    assert(streamOffset <= this.endOffset, 'a stream is trimmed within what it holds');
    this.startOffset = streamOffset;
    while (this.#first !== NO_BLOCK && this.#firstOffset + BLOCK_BYTES <= streamOffset) this.#dropFirst(store);
    // The last block goes too when nothing is left: an idle connection holds no memory.
    if (streamOffset === this.endOffset && this.#first !== NO_BLOCK) this.#dropFirst(store);
  }

  /** Gives up everything and goes on at `streamOffset`. */
  restartAt(store: ByteStore, streamOffset: number): void {
    while (this.#first !== NO_BLOCK) this.#dropFirst(store);
    this.startOffset = streamOffset;
    this.endOffset = streamOffset;
  }

  #dropFirst(store: ByteStore): void {
    const block = this.#first;
    this.#first = store.next[block]!;
    this.#firstOffset += BLOCK_BYTES;
    if (this.#cursor === block) this.#cursor = NO_BLOCK;
    if (this.#first === NO_BLOCK) {
      this.#last = NO_BLOCK;
      this.#cursor = NO_BLOCK;
    }
    store.release(block);
  }
}
