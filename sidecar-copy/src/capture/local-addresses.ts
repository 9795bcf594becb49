import { networkInterfaces } from 'node:os';
import { type IpAddress, parseIpAddress } from '@trafficcopy/core';

/** The addresses of this host's interfaces that are up, in a stable order, each once. */
export function localAddresses(): IpAddress[] {
  const texts = Object.values(networkInterfaces()).flatMap((infos) => (infos ?? []).map((info) => info.address));
  return [...new Set(texts)]
    .sort()
    .map((text) => parseIpAddress(text))
    .filter((address) => address !== undefined);
}
