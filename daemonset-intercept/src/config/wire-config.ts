/** What of the command line is about C tcpcopies, and what of it does not go together. */
import { formatIpAddress, type WireVersion } from '@trafficcopy/core';
import { type AddressRange, type FlagValues, UsageError } from '@trafficcopy/runtime';
import { formatRange, WIRE_RULES_MAX, type WireTraffic, wireRuleCount } from '../rules/wire-rules.js';
import type { INTERCEPT_FLAGS } from './intercept-flags.js';

export interface WireConfig {
  readonly versions: readonly WireVersion[];
  readonly traffic: WireTraffic;
}

type Values = Pick<
  FlagValues<typeof INTERCEPT_FLAGS>,
  'wire' | 'wireClients' | 'insecure' | 'targets' | 'pass' | 'operator'
>;

/** Undefined without --wire. Throws UsageError when flags do not go together. */
export function wireConfig({ wire, wireClients, insecure, targets, pass, operator }: Values): WireConfig | undefined {
  if (wire.length === 0) {
    if (wireClients.length === 0) return undefined;
    throw new UsageError('--wire-clients needs --wire: it is about the clients that C tcpcopies copy');
  }
  if (operator !== undefined) {
    throw new UsageError('--wire and --operator exclude each other: C tcpcopies prove nothing of who they are');
  }
  if (!insecure) {
    throw new UsageError(
      '--wire needs --insecure: a C tcpcopy speaks plain TCP and proves nothing; whoever reaches the port can ask for response headers, and inject packets here. Let only the hosts of your copies reach it (-b, a firewall)',
    );
  }
  if (wireClients.length === 0) {
    throw new UsageError(
      '--wire needs --wire-clients: a C tcpcopy marks nothing, so say which client addresses it copies. All that these send to a --target is taken for copied, and no answer to them leaves this host: the addresses of its -c, or 0.0.0.0/0 with your own clients of the target in -x/--pass',
    );
  }
  const endpoints = targets.map(({ address, port }) => {
    if (address?.length !== 4 || port === undefined) {
      throw new UsageError('--wire needs every --target as IP:PORT with an IPv4 address, like 10.16.12.11:8080');
    }
    return { address, port };
  });
  if (endpoints.length === 0) {
    throw new UsageError('--wire needs --target IP:PORT: the targets in the -x of the C tcpcopies');
  }
  const wide = wireClients.find(({ address }) => address.length !== 4);
  if (wide !== undefined) throw new UsageError('--wire-clients: expected IPv4 addresses: a C tcpcopy knows no others');
  const traffic = {
    targets: endpoints,
    clients: wireClients,
    passed: pass.filter(({ address }) => address.length === 4),
  };
  const rules = wireRuleCount(traffic);
  if (rules > WIRE_RULES_MAX) {
    throw new UsageError(
      `--wire-clients, --target and -x/--pass together make ${rules} rules, and a packet passes all of them: at most ${WIRE_RULES_MAX}; use ranges like 198.51.100.0/24`,
    );
  }
  return { versions: [...new Set(wire)], traffic };
}

/** For the log: whom the target does not answer any more. */
export function wireNote({ versions, traffic: { targets, clients, passed } }: WireConfig): string {
  const texts = (ranges: readonly AddressRange[]): string => ranges.map(formatRange).join(', ');
  const to = targets.map(({ address, port }) => `${formatIpAddress(address)}:${port}`).join(', ');
  const but = passed.length > 0 ? `, but for ${texts(passed)} (-x/--pass)` : '';
  return `--wire=${versions.join()}: what ${texts(clients)}${but} sends to ${to} is taken for copied, and no answer to it leaves this host`;
}
