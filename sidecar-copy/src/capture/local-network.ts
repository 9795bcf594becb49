import { networkInterfaces } from 'node:os';
import { type IpAddress, parseIpAddress } from '@trafficcopy/core';

/** What this network namespace has of its own. */
export interface LocalNetwork {
  /** Of interfaces that are up, in a stable order, each once. */
  readonly addresses: readonly IpAddress[];
  /** Interfaces towards others: those that are up and have an address, without the loopback. In a stable order. */
  readonly wires: readonly string[];
}

export function localNetwork(): LocalNetwork {
  const interfaces = Object.entries(networkInterfaces()).map(([name, infos]) => ({ name, infos: infos ?? [] }));
  const texts = interfaces.flatMap(({ infos }) => infos.map((info) => info.address));
  return {
    addresses: [...new Set(texts)]
      .sort()
      .map((text) => parseIpAddress(text))
      .filter((address) => address !== undefined),
    wires: interfaces
      .filter(({ infos }) => infos.some((info) => !info.internal))
      .map(({ name }) => name)
      .sort(),
  };
}
