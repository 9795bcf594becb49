import { INPUT_BYTES_LIMIT } from './fuzz-target.js';

const HEADER_BYTES = 8;
const COUNT = 0;
const LENGTH = 1;

/** The input that a thread is busy with, where another thread sees it. */
export class SharedInput {
  readonly buffer: SharedArrayBuffer;
  readonly #numbers: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(HEADER_BYTES + INPUT_BYTES_LIMIT)) {
    this.buffer = buffer;
    this.#numbers = new Int32Array(buffer, 0, 2);
    this.#bytes = new Uint8Array(buffer, HEADER_BYTES);
  }

  /** Changes with every input. */
  get count(): number {
    return Atomics.load(this.#numbers, COUNT);
  }

  publish(input: Uint8Array): void {
    this.#bytes.set(input);
    this.#numbers[LENGTH] = input.length;
    Atomics.add(this.#numbers, COUNT, 1);
  }

  read(): Uint8Array {
    return this.#bytes.slice(0, this.#numbers[LENGTH]);
  }
}
