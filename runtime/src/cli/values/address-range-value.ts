import type { AddressRange } from '@trafficcopy/core';
import { ipAddressValue } from './ip-address-value.js';
import { ValueProblem } from './value-problem.js';
import type { ValueType } from './value-type.js';

export type { AddressRange } from '@trafficcopy/core';

/** One address, or a range in CIDR form. Bits beyond the prefix are 0. */
export const addressRangeValue: ValueType<AddressRange> = {
  expected: 'an IP address or a range, like 10.16.12.11, 10.16.0.0/16 or fd00::/64',
  parse(text: string): AddressRange {
    const slash = text.indexOf('/');
    const address = ipAddressValue.parse(slash < 0 ? text : text.slice(0, slash));
    const bits = address.length * 8;
    if (slash < 0) return { address, prefixBits: bits };
    const prefixText = text.slice(slash + 1);
    const prefixBits = /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : Number.NaN;
    if (!(prefixBits <= bits)) throw new ValueProblem(`the number after "/" is from 0 to ${bits} here`);
    for (let bit = prefixBits; bit < bits; bit += 1) {
      if ((address[bit >> 3]! & (0x80 >> (bit & 7))) !== 0) {
        throw new ValueProblem(`the address has bits set beyond /${prefixBits}`);
      }
    }
    return { address, prefixBits };
  },
};
