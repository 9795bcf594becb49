/**
 * Rules for datagrams. A UDP socket does not take over the mark of what it received, so its answers bear none: what keeps them
 * from leaving is where they go, addresses that nobody has but the clients of copied datagrams. So it does not matter which
 * socket, port or process answers, how late, nor whether intercept runs.
 */
import type { AddressRange } from '@trafficcopy/core';
import type { OwnRule } from './own-rules.js';
import { formatRange } from './wire-rules.js';

/** UDP and ICMP to these addresses goes to the queue, whatever mark it bears. No --queue-bypass. */
export function answerRules(
  ranges: readonly AddressRange[],
  family: 4 | 6,
  queueNumber: number,
  owner: string,
): OwnRule[] {
  const taken = (range: AddressRange, protocol: string): OwnRule => ({
    chain: 'OUTPUT',
    spec: `-d ${formatRange(range)} -p ${protocol} ${owner} -j NFQUEUE --queue-num ${queueNumber}`,
  });
  // ICMP: port unreachable, where the target does not listen.
  const icmp = family === 4 ? 'icmp' : 'ipv6-icmp';
  return ofFamily(ranges, family).flatMap((range) => [taken(range, 'udp'), taken(range, icmp)]);
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
