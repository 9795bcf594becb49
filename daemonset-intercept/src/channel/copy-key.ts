import type { Hello } from '@trafficcopy/core';
import type { PeerIdentity } from '@trafficcopy/runtime';

/** What tells one process of a copy from all others, and stays the same when it comes back. */
export function copyKey(hello: Hello, identity: PeerIdentity | undefined, host: string): string {
  const instance = hello.capabilities.find((name) => name.startsWith('instance:')) ?? '';
  return `${identity?.name ?? `${hello.name}@${host}`} ${instance}`;
}

/** What the workers of one copy (--threads) have in common; undefined: it does not say (a C tcpcopy). */
export function programKey(hello: Hello, identity: PeerIdentity | undefined, host: string): string | undefined {
  const { capabilities, name } = hello;
  const said =
    capabilities.find((one) => one.startsWith('program:')) ?? capabilities.find((one) => one.startsWith('instance:'));
  if (said === undefined) return undefined;
  return `${identity?.name ?? `${name}@${host}`} ${said.slice(said.indexOf(':') + 1)}`;
}

/** The address of `ADDRESS:PORT`. */
export function hostOf(remote: string): string {
  return remote.slice(0, remote.lastIndexOf(':'));
}
