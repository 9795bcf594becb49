import { parseIpAddress } from '@trafficcopy/core';
import type { InterceptConfig } from '../../src/config.js';

/** An intercept on 127.0.0.1 for a target in another network namespace, without TLS. */
export function kernelConfig(
  changes: Partial<InterceptConfig> & Pick<InterceptConfig, 'netnsPath' | 'port' | 'stateDirectory' | 'targets'>,
): InterceptConfig {
  return {
    pass: [],
    allowedSources: [],
    udpClients: [],
    bindAddress: parseIpAddress('127.0.0.1'),
    tokenTtlMs: 60_000,
    newToken: false,
    reusable: false,
    revokeTokens: false,
    insecure: true,
    wire: undefined,
    queueLengthMax: 1024,
    queue: 'native',
    queueNumber: undefined,
    iptables: 'auto',
    instance: String(changes.port),
    threads: 1,
    node: undefined,
    logFile: undefined,
    logLevel: 'silent',
    metrics: undefined,
    summaryFile: undefined,
    recordFile: undefined,
    durationMs: undefined,
    pidFile: undefined,
    notes: [],
    ...changes,
  };
}
