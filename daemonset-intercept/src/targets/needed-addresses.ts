import { readFileSync } from 'node:fs';
import { formatIpAddress, parseIpAddress } from '@trafficcopy/core';
import type { NamespaceAccess } from '../rules/namespace-access.js';

/** Whom a host talks to by UDP and ICMP that is not its client. */
export interface NeededAddress {
  /** Canonical text. */
  readonly address: string;
  readonly what: 'a gateway' | 'a name server';
}

const RESOLV_CONF = '/etc/resolv.conf';

/** Gateways of the namespace, and the name servers that this program would ask. What cannot be read is not there. */
export async function readNeededAddresses(access: NamespaceAccess): Promise<NeededAddress[]> {
  const routes = await Promise.all(['-4', '-6'].map((family) => access.run('ip', [family, 'route', 'show'])));
  const gateways = routes.flatMap((outcome) => (outcome?.status === 0 ? parseGateways(outcome.stdout) : []));
  return [
    ...gateways.map((address) => ({ address, what: 'a gateway' }) as const),
    ...parseNameServers(resolvConf()).map((address) => ({ address, what: 'a name server' }) as const),
  ];
}

/** From `ip route show`: `default via 10.0.0.1 dev eth0 …`, also of a route with several next hops. */
export function parseGateways(text: string): string[] {
  return canonical([...text.matchAll(/\bvia (?:inet6 )?([0-9a-fA-F.:]+)/g)].map(([, address]) => address!));
}

/** From resolv.conf(5). */
export function parseNameServers(text: string): string[] {
  return canonical([...text.matchAll(/^\s*nameserver\s+([0-9a-fA-F.:]+)/gm)].map(([, address]) => address!));
}

function resolvConf(): string {
  try {
    return readFileSync(RESOLV_CONF, 'utf8');
  } catch {
    return '';
  }
}

function canonical(texts: readonly string[]): string[] {
  const addresses = texts.map((text) => parseIpAddress(text));
  return [...new Set(addresses.flatMap((address) => (address === undefined ? [] : [formatIpAddress(address)])))];
}
