import type { EndpointConfig, EngineConfig, MappingConfig, TargetConfig } from '../../src/engine-config.js';
import { ENGINE_LIMITS_DEFAULT } from '../../src/limits.js';

export const ENDPOINT: EndpointConfig = { lane: 0, address: Uint8Array.of(10, 0, 0, 3), port: 8080 };

/** A target that is known to keep its connections open. */
export function targetAt(name: string, ...endpoints: readonly Partial<EndpointConfig>[]): TargetConfig {
  return { name, endpoints: endpoints.map((one) => ({ ...ENDPOINT, ...one })), closesAfterAnswer: false };
}

export const TARGET = targetAt('target', {});

export function mappingTo(...targets: readonly TargetConfig[]): MappingConfig {
  return { onlinePort: 80, ipVersion: 4, targets };
}

/** All that a target at lane 0 gets, as the programs set the engine up when nothing is asked for. */
export const ENGINE_CONFIG: EngineConfig = {
  mappings: [mappingTo({ name: 'target', endpoints: [ENDPOINT] })],
  lanes: 1,
  copies: 1,
  sample: { fraction: 1, by: 'connection', seed: 1 },
  clientAddresses: [],
  wait: true,
  fullSessionsOnly: false,
  mtuBytes: 1500,
  markSegments: false,
  seed: 7,
  responseTimeoutMs: 60_000,
  idleTimeoutMs: 600_000,
  limits: ENGINE_LIMITS_DEFAULT,
};
