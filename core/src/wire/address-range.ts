/** Ranges of IP addresses: CIDR blocks of either version. */
import type { IpAddress } from './ip-address.js';

/** All addresses with the first `prefixBits` bits of `address`. With 32 (IPv4) or 128 (IPv6) it is that address alone. */
export interface AddressRange {
  readonly address: IpAddress;
  readonly prefixBits: number;
}

/** Whether the address at `offset`, of 4 or 16 octets, lies in the range. */
export function isInRange(
  bytes: Uint8Array,
  offset: number,
  addressBytes: number,
  { address, prefixBits }: AddressRange,
): boolean {
  return address.length === addressBytes && hasPrefix(bytes, offset, address, prefixBits);
}

/** Whether it lies in one of them. */
export function isInRanges(
  bytes: Uint8Array,
  offset: number,
  addressBytes: number,
  ranges: readonly AddressRange[],
): boolean {
  for (const range of ranges) if (isInRange(bytes, offset, addressBytes, range)) return true;
  return false;
}

/** Whether all of `inner` lies in `outer`. */
export function containsRange(outer: AddressRange, inner: AddressRange): boolean {
  return outer.prefixBits <= inner.prefixBits && isInRange(inner.address, 0, inner.address.length, outer);
}

/** Whether they have an address in common: then one contains the other. */
export function rangesOverlap(one: AddressRange, other: AddressRange): boolean {
  return containsRange(one, other) || containsRange(other, one);
}

/** Whether the first `bits` bits at `offset` are those of `prefix`. */
export function hasPrefix(bytes: Uint8Array, offset: number, prefix: Uint8Array, bits: number): boolean {
  for (let bit = 0; bit < bits; bit += 8) {
    const mask = bits - bit >= 8 ? 0xff : (0xff00 >> (bits - bit)) & 0xff;
    if (((bytes[offset + (bit >> 3)]! ^ prefix[bit >> 3]!) & mask) !== 0) return false;
  }
  return true;
}
