/**
 * The addresses that stand in for those of clients (-c): ranges of one IP version, of which each client always gets the same
 * one. A range is never written out: 198.18.0.0/15 costs what one address costs.
 */
import type { AddressRange } from '../wire/address-range.js';
import type { IpAddress } from '../wire/ip-address.js';

/** Bits of an address that are chosen: of a larger range, the first 2^32 addresses are used. */
const CHOSEN_BITS_MAX = 32;

export class AddressPool {
  readonly #ranges: readonly AddressRange[];
  /** For each range: how many addresses it and those before it have. */
  readonly #ends: readonly number[];
  readonly #address: Uint8Array;
  readonly size: number;

  /** Takes the ranges whose addresses have `addressBytes` octets. */
  constructor(ranges: readonly AddressRange[], addressBytes: 4 | 16) {
    this.#ranges = ranges.filter(({ address }) => address.length === addressBytes);
    let size = 0;
    this.#ends = this.#ranges.map((range) => {
      size += sizeOf(range);
      return size;
    });
    this.size = size;
    this.#address = new Uint8Array(addressBytes);
  }

  /** The address that a hash (unsigned 32 bits) chooses. The array is used again by the next call. The pool is not empty. */
  choose(hash: number): IpAddress {
    // The upper bits of hash * size: every address is as likely, however large the pool is.
    const index = Math.floor((hash / 0x100000000) * this.size);
    let low = 0;
    let high = this.#ends.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (index < this.#ends[middle]!) high = middle;
      else low = middle + 1;
    }
    const range = this.#ranges[low]!;
    const before = low === 0 ? 0 : this.#ends[low - 1]!;
    return this.#host(range, index - before + (hasEnds(range) ? 1 : 0));
  }

  #host(range: AddressRange, host: number): IpAddress {
    const address = this.#address;
    const last = address.length - 1;
    address.set(range.address);
    const bits = chosenBits(range);
    for (let octet = 0; octet * 8 < bits; octet += 1) {
      const fixed = (0xff << Math.min(8, bits - octet * 8)) & 0xff;
      address[last - octet] = (address[last - octet]! & fixed) | ((host >>> (octet * 8)) & 0xff & ~fixed);
    }
    return address;
  }
}

function chosenBits({ address, prefixBits }: AddressRange): number {
  return Math.min(address.length * 8 - prefixBits, CHOSEN_BITS_MAX);
}

/** IPv4: the first and last address of a network are no host's (RFC 919, RFC 1122 3.2.1.3), unless it has no others (RFC 3021). */
function hasEnds(range: AddressRange): boolean {
  return range.address.length === 4 && chosenBits(range) >= 2;
}

function sizeOf(range: AddressRange): number {
  return 2 ** chosenBits(range) - (hasEnds(range) ? 2 : 0);
}
