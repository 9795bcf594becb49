/**
 * Rules for copies by C tcpcopies, whose packets bear no mark of any kind: what comes from an address of their clients to one of their
 * targets is theirs, and gets the mark of copied connections at its arrival, before the first response is made. So it does not
 * matter whether a registration, which travels another way, is there in time, nor whether intercept runs.
 */
import { formatIpAddress, type IpAddress } from '@trafficcopy/core';
import type { AddressRange } from '@trafficcopy/runtime';
import type { OwnRule } from './own-rules.js';
import { INJECTION_MARK_BASE, SLOTS_MAX } from './worker-slot.js';

/** Rules of one table and chain for C tcpcopies: a packet to a target passes all of them. */
export const WIRE_RULES_MAX = 256;

/** Whose packets are taken for those of C tcpcopies. IPv4 only, as those are. */
export interface WireTraffic {
  readonly targets: readonly { readonly address: IpAddress; readonly port: number }[];
  /** Clients that are copied. */
  readonly clients: readonly AddressRange[];
  /** Clients of the targets themselves, although they are among those (-x). */
  readonly passed: readonly AddressRange[];
}

/** How many rules {@link wireRules} makes. */
export function wireRuleCount({ targets, clients, passed }: WireTraffic): number {
  return targets.length * clients.length + passed.length + targets.length + 1;
}

/** In the order in which packets meet them. `owner`: the comment. */
export function wireRules({ targets, clients, passed }: WireTraffic, mark: string, owner: string): OwnRule[] {
  // What we inject ourselves (Tunnel) has its own way to the mark.
  const injected = `-m mark ! --mark 0x${INJECTION_MARK_BASE.toString(16)}/0x${(2 ** 32 - SLOTS_MAX).toString(16)}`;
  const local = [...targets.map(({ address }) => ({ address, prefixBits: 32 })), LOOPBACK];
  const copied = targets.flatMap(({ address, port }) =>
    clients.map((client) => {
      const ends = `-s ${formatRange(client)} -d ${formatIpAddress(address)}/32 -p tcp -m tcp --dport ${port}`;
      return `${ends} ${injected} ${owner} -j MARK --set-mark ${mark}`;
    }),
  );
  const served = [...passed, ...local].map(
    (client) => `-s ${formatRange(client)} -p tcp -m mark --mark ${mark} ${owner} -j MARK --set-mark 0x0`,
  );
  return [...copied, ...served].map((spec) => ({ chain: 'PREROUTING', spec }));
}

/** This host's own checks of its services. */
const LOOPBACK: AddressRange = { address: Uint8Array.of(127, 0, 0, 0), prefixBits: 8 };

/** `10.2.0.0/16` */
export function formatRange({ address, prefixBits }: AddressRange): string {
  return `${formatIpAddress(address)}/${prefixBits}`;
}
