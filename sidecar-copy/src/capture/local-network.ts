import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { type IpAddress, parseIpAddress } from '@trafficcopy/core';

/** What this network namespace has of its own. */
export interface LocalNetwork {
  /** Of interfaces that are up, in a stable order, each once. */
  readonly addresses: readonly IpAddress[];
  /** Interfaces towards others: those that are up and have an address, without the loopback. In a stable order. */
  readonly wires: readonly string[];
  /**
   * Indices of interfaces whose packets come again at another one: those with a master (ports of bonds and bridges, members of a VRF).
   * Default: none.
   */
  readonly lowers?: () => readonly number[];
}

const INTERFACES = '/sys/class/net';

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
    lowers: lowerInterfaces,
  };
}

/** What /sys tells; one that vanishes meanwhile is none, and without /sys there are none. */
function lowerInterfaces(): number[] {
  const indices: number[] = [];
  for (const name of existsSync(INTERFACES) ? readdirSync(INTERFACES) : []) {
    if (!existsSync(`${INTERFACES}/${name}/master`)) continue;
    const index = Number(readFileIfThere(`${INTERFACES}/${name}/ifindex`));
    if (index > 0) indices.push(index);
  }
  return indices.sort((one, other) => one - other);
}

function readFileIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
