import type { MappingConfig } from '@trafficcopy/core';
import type { CopyConfig } from '../config.js';
import { type CopyPlan, type LanePlan, targetOf } from '../copy-plan.js';

/** The one plan of a copy that was started with flags. */
export function hostPlan(config: CopyConfig): CopyPlan {
  const { mappings, copies, sample, interfaces, filter } = config;
  return {
    mappings,
    lanes: config.lanes.map(
      (address, lane): LanePlan => ({
        ...address,
        ...(config.connect ? { name: 'the targets (ordinary connections)' } : {}),
        targets: endpointsOf(mappings)
          .filter((endpoint) => endpoint.lane === lane)
          .map((endpoint) => targetOf(endpoint.address, endpoint.port)),
      }),
    ),
    copies,
    sample,
    ramp: config.rampMs === 0 ? undefined : { durationMs: config.rampMs },
    clientAddresses: config.clientAddresses.map((address) => ({ address, prefixBits: address.length * 8 })),
    logins: config.logins,
    isSuspended: false,
    bytesPerSecondMax: 0,
    leg: legOf(config),
    interfaces,
    filter,
    seesAnswers: config.compare !== undefined,
    udp: config.udp,
  };
}

function legOf({ offline, connect }: CopyConfig): CopyPlan['leg'] {
  if (offline === undefined) return 'host';
  return connect ? 'connect' : 'file';
}

function endpointsOf(mappings: readonly MappingConfig[]): MappingConfig['targets'][number]['endpoints'] {
  return mappings.flatMap((mapping) => mapping.targets.flatMap((target) => target.endpoints));
}
