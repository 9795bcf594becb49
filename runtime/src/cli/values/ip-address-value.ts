import { type IpAddress, parseIpAddress } from '@trafficcopy/core';
import { ValueProblem } from './value-problem.js';
import type { ValueType } from './value-type.js';

/** An IPv4 or IPv6 address; IPv6 with or without brackets. */
export const ipAddressValue: ValueType<IpAddress> = {
  expected: 'an IP address, like 10.16.12.11 or fd00::11',
  parse(text: string): IpAddress {
    const address = parseIpAddress(/^\[.*:.*\]$/.test(text) ? text.slice(1, -1) : text);
    if (address === undefined) throw new ValueProblem('');
    return address;
  },
};
