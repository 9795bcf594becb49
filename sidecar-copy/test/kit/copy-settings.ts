import type { CopyEndpointSettings, CopySettings } from '@trafficcopy/core';

/** Settings of an operator, with one target at these endpoints, ADDRESS or ADDRESS@INTERCEPT. */
export function copySettings(endpoints: readonly string[], change: Partial<CopySettings> = {}): CopySettings {
  return {
    kind: 'copy',
    generation: 1,
    state: 'running',
    delivery: 'tunnel',
    capture: 'wire',
    mappings: [{ onlinePort: 80, targets: [{ name: 'candidate', endpoints: endpoints.map(endpointSettings) }] }],
    sample: { fraction: 1, by: 'connection', seed: 0 },
    copies: 1,
    clientRanges: [],
    limits: { sessionsMax: 32, heldBytesMax: 1 << 20, bytesPerSecondMax: 0 },
    ...change,
  };
}

export function endpointSettings(text: string): CopyEndpointSettings {
  const [address = '', interceptHost = '10.9.9.9'] = text.split('@');
  return { address, port: 8080, interceptHost, interceptPort: 36524 };
}
