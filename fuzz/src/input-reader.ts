/**
 * Reads an input as a script: numbers and pieces one after the other, zeros and nothing when it is over. So every input means something, and one
 * that is cut or changed means something near to it.
 */
export class InputReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isOver(): boolean {
    return this.#at >= this.#bytes.length;
  }

  u8(): number {
    return this.#bytes[this.#at++] ?? 0;
  }

  u16(): number {
    return (this.u8() << 8) | this.u8();
  }

  u32(): number {
    return ((this.u16() << 16) | this.u16()) >>> 0;
  }

  /** Up to `length` octets, in memory of their own. */
  bytes(length: number): Uint8Array {
    const start = this.#at;
    this.#at = Math.min(this.#bytes.length, start + length);
    return this.#bytes.slice(start, this.#at);
  }

  rest(): Uint8Array {
    return this.bytes(this.#bytes.length);
  }
}
