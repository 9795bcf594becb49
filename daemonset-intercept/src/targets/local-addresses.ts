import { networkInterfaces } from 'node:os';
import { formatIpAddress, parseIpAddress } from '@trafficcopy/core';
import type { NamespaceAccess } from '../rules/namespace-access.js';

/** The addresses of a namespace, canonical text. `access` undefined: the own namespace. */
export async function readLocalAddresses(access: NamespaceAccess | undefined): Promise<string[]> {
  if (access === undefined) {
    const interfaces = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
    return canonical(interfaces.map(({ address }) => address));
  }
  const outcome = await access.run('ip', ['-o', 'address', 'show']);
  return outcome?.status === 0 ? canonical(parseAddressLines(outcome.stdout)) : [];
}

/** From `ip -o address show`: `1: lo    inet 127.0.0.1/8 scope host lo …`. */
export function parseAddressLines(text: string): string[] {
  return [...text.matchAll(/^\d+: \S+\s+inet6? ([0-9a-fA-F.:]+)/gm)].map(([, address]) => address!);
}

function canonical(texts: readonly string[]): string[] {
  const addresses = texts.map((text) => parseIpAddress(text.split('%')[0]!));
  return addresses.flatMap((address) => (address === undefined ? [] : [formatIpAddress(address)]));
}
