import { readFileSync } from 'node:fs';
import { StartError } from '@trafficcopy/runtime';

/** Bits of linux/capability.h, with what intercept does with them. */
const CAPABILITIES = {
  CAP_NET_ADMIN: { bit: 12n, reason: 'rules, settings, the NFQUEUE and packet marks' },
  CAP_NET_RAW: { bit: 13n, reason: 'raw sockets' },
  CAP_SYS_PTRACE: { bit: 19n, reason: 'looking at the network namespaces of other processes' },
  CAP_SYS_ADMIN: { bit: 21n, reason: 'entering another network namespace' },
} as const;
type CapabilityName = keyof typeof CAPABILITIES;

/** Where the targets are: in the own network namespace, in the one of --netns, or in pods of this node. */
export type TargetPlace = 'here' | 'netns' | 'node';

const WANTED: Readonly<Record<TargetPlace, readonly CapabilityName[]>> = {
  here: ['CAP_NET_ADMIN', 'CAP_NET_RAW'],
  netns: ['CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_SYS_ADMIN'],
  node: ['CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_SYS_ADMIN', 'CAP_SYS_PTRACE'],
};

/**
 * Looks whether this process may do what it will have to, before anything is touched.
 *
 * @throws StartError ERR_START_CAPABILITIES that names what is missing.
 */
export function requireCapabilities(place: TargetPlace, status = readStatus()): void {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const missing = WANTED[place].filter((name) => (effective & (1n << CAPABILITIES[name].bit)) === 0n);
  if (missing.length === 0) return;
  const list = missing.map((name) => `${name} (${CAPABILITIES[name].reason})`).join(', ');
  const added = WANTED[place].map((name) => name.slice('CAP_'.length)).join(', ');
  const advice =
    place === 'node'
      ? `in the container's securityContext: runAsUser: 0, capabilities: {drop: [ALL], add: [${added}]}`
      : 'run it as root, or grant that (in a container: securityContext.capabilities.add)';
  throw new StartError('ERR_START_CAPABILITIES', `intercept needs ${list}: ${advice}`);
}

function readStatus(): string {
  return readFileSync('/proc/self/status', 'utf8');
}
