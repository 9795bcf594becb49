import type { LabelSelector } from '@trafficcopy/operator/api';
import type { ClusterObject } from '../cluster/cluster.js';
import type { PortPair } from './port-pair-value.js';

export const API_VERSION = 'trafficcopy.dev/v1alpha1';
export const KIND = 'TrafficCopy';

export interface ManifestTarget {
  readonly name: string;
  /** Undefined: the TrafficCopy's own. */
  readonly namespace: string | undefined;
  readonly selector: LabelSelector;
}

export interface ManifestInput {
  readonly name: string;
  readonly namespace: string;
  readonly source: LabelSelector;
  readonly targets: readonly ManifestTarget[];
  readonly ports: readonly PortPair[];
  readonly percent: number | undefined;
  readonly multiply: number | undefined;
  readonly ramp: string | undefined;
  readonly duration: string | undefined;
}

/** The resource that `start` creates: what was not asked for is left to the defaults of the schema. */
export function trafficCopyManifest(input: ManifestInput): ClusterObject {
  const { name, namespace, source, targets, ports, percent, multiply, ramp, duration } = input;
  const spec = {
    source: { selector: source },
    targets: targets.map((target) => ({
      name: target.name,
      ...(target.namespace === undefined || target.namespace === namespace ? {} : { namespace: target.namespace }),
      selector: target.selector,
      ports,
    })),
    ...(percent === undefined ? {} : { sample: { percent } }),
    ...(multiply === undefined ? {} : { multiply }),
    ...(ramp === undefined ? {} : { ramp }),
    ...(duration === undefined ? {} : { duration }),
  };
  return { apiVersion: API_VERSION, kind: KIND, metadata: { name, namespace }, spec };
}
