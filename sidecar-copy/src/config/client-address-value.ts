import type { IpAddress } from '@trafficcopy/core';
import { addressRangeValue, ValueProblem, type ValueType } from '@trafficcopy/runtime';

/** Addresses that -c may name in all; tcpcopy's limit. */
export const CLIENT_ADDRESSES_MAX = 4096;

/** One item of -c: an address, `a.b.c.x` (hosts 1 to 254), or a CIDR range (IPv4: without its first and last address). */
export const clientAddressValue: ValueType<readonly IpAddress[]> = {
  expected: 'an IP address, 10.16.12.x for the hosts 1 to 254, or a range like 10.16.0.0/22',
  parse(text: string): readonly IpAddress[] {
    if (/^(\d{1,3}\.){3}x$/.test(text)) return expand(`${text.slice(0, -1)}0/24`);
    return expand(text);
  },
};

function expand(text: string): readonly IpAddress[] {
  const { address, prefixBits } = addressRangeValue.parse(text);
  const freeBits = address.length * 8 - prefixBits;
  if (freeBits > 12) {
    throw new ValueProblem(`the range has more than ${CLIENT_ADDRESSES_MAX} addresses`);
  }
  const size = 2 ** freeBits;
  const withoutEnds = address.length === 4 && freeBits >= 2;
  const addresses: IpAddress[] = [];
  for (let host = withoutEnds ? 1 : 0; host < (withoutEnds ? size - 1 : size); host += 1) {
    const next = Uint8Array.from(address);
    next[next.length - 1]! |= host & 255;
    next[next.length - 2]! |= host >> 8;
    addresses.push(next);
  }
  return addresses;
}
