import type { EngineConfig } from '../src/engine-config.js';
import { ENGINE_LIMITS_DEFAULT } from '../src/limits.js';

/** All that a fake target at lane 0 gets, as the programs set the engine up when nothing is asked for. */
export const BENCH_CONFIG: EngineConfig = {
  mappings: [
    {
      onlinePort: 80,
      ipVersion: 4,
      targets: [{ name: 'fake', endpoints: [{ lane: 0, address: Uint8Array.of(10, 0, 0, 3), port: 8080 }] }],
    },
  ],
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
