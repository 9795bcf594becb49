/**
 * Maps (address, port, endpoint) to a small number. Open addressing over typed arrays: a look-up allocates nothing and
 * compares whole keys. IPv4 and IPv6 share the table, as an endpoint (an address and port on our side of the key) has one
 * family. The hash is seeded: clients choose addresses and ports, and must not be able to choose collisions.
 *
 * The arrays double up to the limit that is set at the start: a hash touches all pages of a table at once, so one that had its full
 * size from the start would cost all of it however few flows there are. Doubling 65,536 flows takes a few milliseconds.
 */
import { assert } from '../assert.js';
import { readI32 } from '../wire/bytes.js';
import { finish, mix } from './flow-hash.js';

/** Words for each place: address (4), port and endpoint (1), value + 1 (1; 0 = empty). */
const WORDS = 6;
const KEY_WORD = 4;
const VALUE_WORD = 5;

/** Places at the start; a table has twice as many places as flows at least, so that probes stay short. */
const PLACES_AT_START = 2048;

export class FlowTable {
  #words: Int32Array;
  #mask: number;
  readonly #seed: number;
  readonly entriesMax: number;
  #size = 0;

  /** Room for `entriesMax` flows. */
  constructor(entriesMax: number, seed: number) {
    let places = 16;
    while (places < entriesMax * 2 && places < PLACES_AT_START) places *= 2;
    this.entriesMax = entriesMax;
    this.#words = new Int32Array(places * WORDS);
    this.#mask = places - 1;
    this.#seed = seed | 0;
  }

  get size(): number {
    return this.#size;
  }

  /** The value of the flow, or -1. `addressBytes` is 4 or 16; `endpoint` 0 to 65535. */
  get(bytes: Uint8Array, addressOffset: number, addressBytes: number, port: number, endpoint: number): number {
    const place = this.#find(bytes, addressOffset, addressBytes, (port << 16) | endpoint);
    return this.#words[place * WORDS + VALUE_WORD]! - 1;
  }

  /** Sets the value (0 or more) of the flow. False when the table is full and the flow is new. */
  set(
    bytes: Uint8Array,
    addressOffset: number,
    addressBytes: number,
    port: number,
    endpoint: number,
    value: number,
  ): boolean {
    assert(value >= 0, 'a flow table holds values of 0 and more');
    const words = this.#words;
    const key = (port << 16) | endpoint;
    const at = this.#find(bytes, addressOffset, addressBytes, key) * WORDS;
    if (words[at + VALUE_WORD] === 0) {
      if (this.#size === this.entriesMax) return false;
      if (this.#size * 2 > this.#mask) {
        this.#double();
        return this.set(bytes, addressOffset, addressBytes, port, endpoint, value);
      }
      this.#size += 1;
      words[at] = readI32(bytes, addressOffset);
      const isLong = addressBytes === 16;
      words[at + 1] = isLong ? readI32(bytes, addressOffset + 4) : 0;
      words[at + 2] = isLong ? readI32(bytes, addressOffset + 8) : 0;
      words[at + 3] = isLong ? readI32(bytes, addressOffset + 12) : 0;
      words[at + KEY_WORD] = key;
    }
    words[at + VALUE_WORD] = value + 1;
    return true;
  }

  /** Removes the flow; false when it is not there. */
  delete(bytes: Uint8Array, addressOffset: number, addressBytes: number, port: number, endpoint: number): boolean {
    const words = this.#words;
    const mask = this.#mask;
    let hole = this.#find(bytes, addressOffset, addressBytes, (port << 16) | endpoint);
    if (words[hole * WORDS + VALUE_WORD] === 0) return false;
    this.#size -= 1;
    // Closes the hole by moving later places of the probe run back, so that no marks of deleted flows pile up.
    for (let place = (hole + 1) & mask; words[place * WORDS + VALUE_WORD] !== 0; place = (place + 1) & mask) {
      const home = this.#homeOf(place);
      if (((place - home) & mask) < ((place - hole) & mask)) continue;
      words.copyWithin(hole * WORDS, place * WORDS, place * WORDS + WORDS);
      hole = place;
    }
    words[hole * WORDS + VALUE_WORD] = 0;
    return true;
  }

  #double(): void {
    const before = this.#words;
    const places = (this.#mask + 1) * 2;
    const words = new Int32Array(places * WORDS);
    this.#words = words;
    this.#mask = places - 1;
    for (let from = 0; from < before.length; from += WORDS) {
      if (before[from + VALUE_WORD] === 0) continue;
      const hash = this.#hash(
        before[from]!,
        before[from + 1]!,
        before[from + 2]!,
        before[from + 3]!,
        before[from + KEY_WORD]!,
      );
      let place = hash & this.#mask;
      while (words[place * WORDS + VALUE_WORD] !== 0) place = (place + 1) & this.#mask;
      for (let word = 0; word < WORDS; word += 1) words[place * WORDS + word] = before[from + word]!;
    }
  }

  /** The place of the flow, or the empty place where it would go. */
  #find(bytes: Uint8Array, addressOffset: number, addressBytes: number, key: number): number {
    const words = this.#words;
    const mask = this.#mask;
    const a0 = readI32(bytes, addressOffset);
    let a1 = 0;
    let a2 = 0;
    let a3 = 0;
    if (addressBytes === 16) {
      a1 = readI32(bytes, addressOffset + 4);
      a2 = readI32(bytes, addressOffset + 8);
      a3 = readI32(bytes, addressOffset + 12);
    }
    let place = this.#hash(a0, a1, a2, a3, key) & mask;
    for (;;) {
      const at = place * WORDS;
      if (words[at + VALUE_WORD] === 0) return place;
      if (
        words[at] === a0 &&
        words[at + KEY_WORD] === key &&
        words[at + 1] === a1 &&
        words[at + 2] === a2 &&
        words[at + 3] === a3
      ) {
        return place;
      }
      place = (place + 1) & mask;
    }
  }

  #homeOf(place: number): number {
    const words = this.#words;
    const at = place * WORDS;
    const hash = this.#hash(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!, words[at + KEY_WORD]!);
    return hash & this.#mask;
  }

  #hash(a0: number, a1: number, a2: number, a3: number, key: number): number {
    let h = mix(mix(this.#seed, key), a0);
    if ((a1 | a2 | a3) !== 0) h = mix(mix(mix(h, a1), a2), a3);
    return finish(h);
  }
}
