import type { Hello } from '@trafficcopy/core';
import type { PeerIdentity } from '@trafficcopy/runtime';

/** What tells one process of a copy from all others, and stays the same when it comes back. */
export function copyKey(hello: Hello, identity: PeerIdentity | undefined, host: string): string {
  const instance = hello.capabilities.find((name) => name.startsWith('instance:')) ?? '';
  return `${identity?.name ?? `${hello.name}@${host}`} ${instance}`;
}

/** The address of `ADDRESS:PORT`. */
export function hostOf(remote: string): string {
  return remote.slice(0, remote.lastIndexOf(':'));
}
