import { readFileSync } from 'node:fs';
import { StartError } from '@trafficcopy/runtime';

/** Bits of linux/capability.h, with what intercept does with them. */
const CAPABILITIES = {
  CAP_NET_ADMIN: { bit: 12n, reason: 'rules, settings, the NFQUEUE and packet marks' },
  CAP_NET_RAW: { bit: 13n, reason: 'raw sockets' },
  CAP_SYS_ADMIN: { bit: 21n, reason: 'entering another network namespace (--netns)' },
} as const;
type CapabilityName = keyof typeof CAPABILITIES;

/**
 * Looks whether this process may do what it will have to, before anything is touched.
 *
 * @throws StartError ERR_START_CAPABILITIES that names what is missing.
 */
export function requireCapabilities(netnsPath: string | undefined, status = readStatus()): void {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const wanted: CapabilityName[] = ['CAP_NET_ADMIN', 'CAP_NET_RAW'];
  if (netnsPath !== undefined) wanted.push('CAP_SYS_ADMIN');
  const missing = wanted.filter((name) => (effective & (1n << CAPABILITIES[name].bit)) === 0n);
  if (missing.length === 0) return;
  const list = missing.map((name) => `${name} (${CAPABILITIES[name].reason})`).join(', ');
  throw new StartError(
    'ERR_START_CAPABILITIES',
    `intercept needs ${list}: run it as root, or grant that (in a container: securityContext.capabilities.add)`,
  );
}

function readStatus(): string {
  return readFileSync('/proc/self/status', 'utf8');
}
