/**
 * The lanes: ways to intercepts. Each has an output batch, is up or down, and may be congested. They come and go at run time;
 * the number of one that went is given to the next that comes.
 */
import { assert } from '../assert.js';
import { ReplayBatch } from '../batch/replay-batch.js';
import type { EngineLimits } from '../limits.js';

/** A batch holds this much at least, unless the limits say less: some hundred full segments. */
const BATCH_BYTES_MIN = 256 * 1024;
/** What a packet of a lane with a small batch has on average at least. */
const BATCH_BYTES_FOR_EACH_PACKET = 256;

export class Lanes {
  /** By lane; undefined where there is none. */
  readonly outputs: (ReplayBatch | undefined)[] = [];
  readonly #limits: EngineLimits;
  readonly #isUp: boolean[] = [];
  readonly #isCongested: boolean[] = [];
  #count = 0;

  constructor(limits: EngineLimits) {
    this.#limits = limits;
  }

  /** Lanes that there are. */
  get count(): number {
    return this.#count;
  }

  /** Makes a lane, which is up. */
  add(): number {
    assert(
      this.#count < 2 * this.#limits.lanesMax,
      'there are lanesMax lanes at most, and as many that take their place',
    );
    const free = this.outputs.indexOf(undefined);
    const lane = free < 0 ? this.outputs.length : free;
    this.#count += 1;
    this.outputs[lane] = this.#makeOutput();
    this.#isUp[lane] = true;
    this.#isCongested[lane] = false;
    return lane;
  }

  /**
   * The more lanes there are, the less goes over each: the first has all of batchBytesMax, the second half of it, and so on;
   * 256 lanes have 74 MiB of address space together, of which the kernel gives what was ever written to.
   */
  #makeOutput(): ReplayBatch {
    const { batchBytesMax, batchPacketsMax } = this.#limits;
    const bytes = Math.min(batchBytesMax, Math.max(Math.floor(batchBytesMax / this.#count), BATCH_BYTES_MIN));
    return new ReplayBatch(bytes, Math.min(batchPacketsMax, Math.ceil(bytes / BATCH_BYTES_FOR_EACH_PACKET)));
  }

  remove(lane: number): void {
    assert(this.outputs[lane] !== undefined, 'a lane is removed once');
    this.outputs[lane] = undefined;
    this.#isUp[lane] = false;
    this.#count -= 1;
  }

  has(lane: number): boolean {
    return this.outputs[lane] !== undefined;
  }

  isUp(lane: number): boolean {
    return this.#isUp[lane]!;
  }

  setUp(lane: number, isUp: boolean): void {
    this.#isUp[lane] = isUp;
  }

  isCongested(lane: number): boolean {
    return this.#isCongested[lane]!;
  }

  setCongested(lane: number, isCongested: boolean): void {
    this.#isCongested[lane] = isCongested;
  }
}
