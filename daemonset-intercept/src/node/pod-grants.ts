/** Who may reach what in a pod: the grants of its settings, as patterns that the gate checks packets with. */
import { type InterceptPodSettings, parseIpAddress } from '@trafficcopy/core';
import { type AddressRange, addressRangeValue } from '@trafficcopy/runtime';
import type { TargetPattern } from '../targets/target-gate.js';

/** The part of a copy's identity that grants name, NAMESPACE/UID of NAMESPACE/UID/POD-UID; undefined: it is not a copy of a cluster. */
export function ownerOf(identityName: string | undefined): string | undefined {
  const parts = identityName?.split('/') ?? [];
  return parts.length === 3 ? `${parts[0]}/${parts[1]}` : undefined;
}

/** What an owner may reach; undefined: no grant names it. */
export function grantsOf(settings: InterceptPodSettings, owner: string): TargetPattern[] | undefined {
  const grants = settings.grants.filter((grant) => grant.owner === owner);
  if (grants.length === 0) return undefined;
  const addresses = settings.addresses.map((text) => parseIpAddress(text)).filter((address) => address !== undefined);
  return grants.flatMap(({ ports, clientRanges }) => {
    const ranges = clientRanges.map(rangeOf).filter((range) => range !== undefined);
    // Ranges that cannot be read must not become "any client".
    if (ranges.length < clientRanges.length) return [];
    return addresses.flatMap((address) => ports.map((port) => ({ address, port, clientRanges: ranges })));
  });
}

function rangeOf(text: string): AddressRange | undefined {
  try {
    return addressRangeValue.parse(text);
  } catch {
    return undefined;
  }
}
