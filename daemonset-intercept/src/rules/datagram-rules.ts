/**
 * Rules for datagrams. A UDP socket does not take over the mark of what it received, so its answers bear none: what keeps them
 * from leaving is where they go, addresses that nobody has but the clients of copied datagrams. So it does not matter which
 * socket, port or process answers, nor, while they stand, how late, nor whether somebody reads the queue.
 */
import type { AddressRange } from '@trafficcopy/core';
import type { OwnRule } from './own-rules.js';
import { formatRange } from './wire-rules.js';

/**
 * What goes to these addresses and is no TCP goes to the queue, whatever mark it bears: UDP, ICMP errors, and what nobody thought of. No
 * --queue-bypass. (TCP has its marks; connections with these addresses may be copied as well.)
 */
export function answerRules(
  ranges: readonly AddressRange[],
  family: 4 | 6,
  queueNumber: number,
  owner: string,
): OwnRule[] {
  return ofFamily(ranges, family).map((range) => ({
    chain: 'OUTPUT',
    spec: `-d ${formatRange(range)} ! -p tcp ${owner} -j NFQUEUE --queue-num ${queueNumber}`,
  }));
}

/** Answers are not tracked: each would be a new connection until it is dropped. */
export function untrackedAnswerRules(ranges: readonly AddressRange[], family: 4 | 6, owner: string): OwnRule[] {
  return ofFamily(ranges, family).map((range) => ({
    chain: 'OUTPUT',
    spec: `-d ${formatRange(range)} -p udp ${owner} -j CT --notrack`,
  }));
}

function ofFamily(ranges: readonly AddressRange[], family: 4 | 6): AddressRange[] {
  return ranges.filter(({ address }) => address.length === (family === 4 ? 4 : 16));
}
