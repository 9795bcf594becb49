import { type IpAddress, readU32 } from '@trafficcopy/core';

const NONE: readonly IpAddress[] = [];

/** IP addresses that are looked up where they stand in a packet, without anything being made. */
export class AddressSet {
  /** By the words of the address: few have the same. */
  readonly #byWords = new Map<number, IpAddress[]>();

  constructor(addresses: Iterable<IpAddress> = NONE) {
    for (const address of addresses) {
      const words = wordsOf(address, 0, address.length);
      const same = this.#byWords.get(words);
      if (same === undefined) this.#byWords.set(words, [address]);
      else same.push(address);
    }
  }

  has(bytes: Uint8Array, offset: number, addressBytes: number): boolean {
    const same = this.#byWords.get(wordsOf(bytes, offset, addressBytes)) ?? NONE;
    for (const address of same) if (stands(address, bytes, offset, addressBytes)) return true;
    return false;
  }
}

function wordsOf(bytes: Uint8Array, offset: number, addressBytes: number): number {
  let words = addressBytes;
  for (let at = 0; at < addressBytes; at += 4) words = (Math.imul(words, 31) + readU32(bytes, offset + at)) | 0;
  return words;
}

function stands(address: IpAddress, bytes: Uint8Array, offset: number, addressBytes: number): boolean {
  if (address.length !== addressBytes) return false;
  for (let at = 0; at < addressBytes; at += 1) if (address[at] !== bytes[offset + at]) return false;
  return true;
}
