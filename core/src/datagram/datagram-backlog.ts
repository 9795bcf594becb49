/** Datagrams that wait for room in the output batches, oldest first: a ring of octets that grows up to its limit. */
import { copyBytes, readU32, writeU32 } from '../wire/bytes.js';

/** Of each: octets of the packet, and the copies that are due of it. */
const HEADER_BYTES = 8;
const BYTES_AT_START = 64 * 1024;

export class DatagramBacklog {
  readonly #bytesMax: number;
  #bytes = new Uint8Array(0);
  #start = 0;
  #end = 0;
  #count = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Octets that wait. */
  get usedBytes(): number {
    return this.#end - this.#start;
  }

  /** The octets in which {@link packetAt} is an offset: until the next {@link push}. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Where the oldest packet begins; there is one. */
  get packetAt(): number {
    return this.#start + HEADER_BYTES;
  }

  get packetBytes(): number {
    return readU32(this.#bytes, this.#start);
  }

  get copies(): number {
    return readU32(this.#bytes, this.#start + 4);
  }

  /** Keeps a copy of the packet; false when there is no room. */
  push(bytes: Uint8Array, offset: number, packetBytes: number, copies: number): boolean {
    const recordBytes = HEADER_BYTES + packetBytes;
    if (this.#end + recordBytes > this.#bytes.length && !this.#makeRoom(recordBytes)) return false;
    const at = this.#end;
    writeU32(this.#bytes, at, packetBytes);
    writeU32(this.#bytes, at + 4, copies);
    copyBytes(bytes, offset, this.#bytes, at + HEADER_BYTES, packetBytes);
    this.#end = at + recordBytes;
    this.#count += 1;
    return true;
  }

  /** Forgets the oldest. */
  shift(): void {
    this.#start += HEADER_BYTES + this.packetBytes;
    this.#count -= 1;
    if (this.#count > 0) return;
    this.#start = 0;
    this.#end = 0;
  }

  /** Moves what waits to the beginning, of a larger array where that is not enough. */
  #makeRoom(recordBytes: number): boolean {
    const used = this.usedBytes;
    if (used + recordBytes > this.#bytesMax) return false;
    let size = Math.max(this.#bytes.length, BYTES_AT_START);
    // Half of it free at least, so that moving costs little for each octet.
    while (size < this.#bytesMax && (used + recordBytes) * 2 > size) size *= 2;
    size = Math.min(size, this.#bytesMax);
    if (size > this.#bytes.length) {
      const larger = new Uint8Array(size);
      larger.set(this.#bytes.subarray(this.#start, this.#end));
      this.#bytes = larger;
    } else {
      this.#bytes.copyWithin(0, this.#start, this.#end);
    }
    this.#start = 0;
    this.#end = used;
    return true;
  }
}
