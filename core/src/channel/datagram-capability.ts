/**
 * Among the capabilities of WELCOME: an intercept that takes UDP datagrams says `datagrams:RANGE` for each range of addresses that
 * their clients may have. Answers to those addresses never leave the target's host.
 */
import type { AddressRange } from '../wire/address-range.js';
import { formatIpAddress, parseIpAddress } from '../wire/ip-address.js';

const PREFIX = 'datagrams:';
/** As many ranges can be said (HELLO_CAPABILITIES_MAX less what else there is). */
export const DATAGRAM_RANGES_MAX = 32;

/** What an intercept says. */
export function datagramCapability({ address, prefixBits }: AddressRange): string {
  return `${PREFIX}${formatIpAddress(address)}/${prefixBits}`;
}

/** The ranges that a peer with these capabilities takes datagrams from; none: it takes no datagrams. What is not understood is none. */
export function datagramRanges(capabilities: readonly string[]): AddressRange[] {
  const ranges: AddressRange[] = [];
  for (const name of capabilities) {
    const range = name.startsWith(PREFIX) ? parseRange(name.slice(PREFIX.length)) : undefined;
    if (range !== undefined && ranges.length < DATAGRAM_RANGES_MAX) ranges.push(range);
  }
  return ranges;
}

function parseRange(text: string): AddressRange | undefined {
  const [host = '', bits = '', ...rest] = text.split('/');
  const address = parseIpAddress(host);
  if (address === undefined || rest.length > 0 || !/^(0|[1-9][0-9]{0,2})$/.test(bits)) return undefined;
  const prefixBits = Number(bits);
  return prefixBits <= address.length * 8 ? { address, prefixBits } : undefined;
}
