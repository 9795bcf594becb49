import os from 'node:os';
import { type FlagValues, formatSocketAddress, type LogLevel, type SocketAddress } from '@trafficcopy/runtime';
import type { OPERATOR_FLAGS } from './config/operator-flags.js';
import type { CopyContainerSettings } from './injection/index.js';

export { OPERATOR_COMMAND } from './config/operator-command.js';

/** All that the operator is told at its start. */
export interface OperatorConfig {
  readonly logFile: string | undefined;
  readonly logLevel: LogLevel;
  readonly namespace: string;
  /** Unique among the replicas. */
  readonly instance: string;
  /** The address of this replica. */
  readonly advertise: string;
  readonly hasLeaderElection: boolean;
  readonly interceptServiceAccount: string;
  readonly webhookService: string;
  readonly channelPort: number;
  readonly webhookPort: number;
  readonly metrics: SocketAddress;
  /** What copies look like. */
  readonly container: Omit<CopyContainerSettings, 'uid'>;
  /** Undefined: it runs as the operator. */
  readonly uninstallTimeoutMs: number | undefined;
}

const NAMESPACE_DEFAULT = 'trafficcopy-system';

export function operatorConfig(values: FlagValues<typeof OPERATOR_FLAGS>): OperatorConfig {
  const { logFile, logLevel, interceptServiceAccount, webhookService, channelPort, webhookPort } = values;
  const advertise = values.advertise ?? '127.0.0.1';
  return {
    logFile,
    logLevel,
    namespace: values.namespace ?? NAMESPACE_DEFAULT,
    instance: values.instance ?? os.hostname(),
    advertise,
    hasLeaderElection: !values.noLeaderElection,
    interceptServiceAccount,
    webhookService,
    channelPort,
    webhookPort,
    metrics: metricsAddress(values.metrics, advertise),
    container: {
      image: values.copyImage,
      imagePullPolicy: values.copyPullPolicy,
      operatorAddress: bracketed(values.operatorAddress ?? formatSocketAddress({ host: advertise, port: channelPort })),
      logLevel: values.copyLogLevel,
      resources: values.copyResources,
    },
    uninstallTimeoutMs: values.uninstall ? values.uninstallTimeoutMs : undefined,
  };
}

/** A pod with an IPv6 address may have no IPv4. */
function metricsAddress({ host, port }: SocketAddress, advertise: string): SocketAddress {
  return { host: host === '0.0.0.0' && advertise.includes(':') ? '::' : host, port };
}

/** Kubernetes fills in an IPv6 address without brackets. */
function bracketed(address: string): string {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at);
  return host.includes(':') && !host.startsWith('[') ? `[${host}]${address.slice(at)}` : address;
}
