import { formatIpAddress, type IpAddress, type MappingConfig } from '@trafficcopy/core';
import { UsageError } from '@trafficcopy/runtime';
import type { CopyConfig } from '../config.js';
import { captureFilter, LOCAL_ADDRESSES_MAX } from './capture-filter.js';

/** What of the configuration decides on the capture. */
export type CapturePlanConfig = Pick<CopyConfig, 'mappings' | 'clientAddresses' | 'interfaces' | 'filter'>;

/** What to capture, and where. */
export interface CapturePlan {
  /** Devices; '' is all of them. */
  readonly interfaceNames: readonly string[];
  /** The libpcap expression, for packets that start at their IP header. */
  readonly filter: string;
  /** For the log: what will not be captured although one might expect it. */
  readonly notes: readonly string[];
}

/**
 * The capture for a configuration on a host with these addresses. Pure.
 *
 * @throws UsageError when nothing that the mappings name could ever be copied.
 */
export function capturePlan(config: CapturePlanConfig, localAddresses: readonly IpAddress[]): CapturePlan {
  const loopbackClients = config.clientAddresses.length > 0;
  if (!loopbackClients) config.mappings.forEach(refuseLoopback);
  const filter = captureFilter({
    online: config.mappings.map(({ onlineAddress, onlinePort, targets }) => ({
      address: onlineAddress,
      port: onlinePort,
      addressBytes: targets[0]!.address.length,
    })),
    localAddresses,
    targets: config.mappings.flatMap((mapping) => mapping.targets),
    loopbackClients,
    condition: config.filter,
  });
  return {
    interfaceNames: config.interfaces.length === 0 ? [''] : [...new Set(config.interfaces)],
    filter,
    notes: [...loopbackNotes(config, loopbackClients), ...addressNotes(config, localAddresses)],
  };
}

function refuseLoopback({ onlineAddress, onlinePort }: MappingConfig): void {
  if (onlineAddress === undefined) return;
  const text = formatIpAddress(onlineAddress);
  if (text !== '::1' && (onlineAddress.length !== 4 || onlineAddress[0] !== 127)) return;
  throw new UsageError(
    `-x/--map: the clients of ${text} port ${onlinePort} are on this host, and no target could answer their address ${text}: give -c/--client-address`,
  );
}

function loopbackNotes(config: CapturePlanConfig, loopbackClients: boolean): string[] {
  if (loopbackClients || !config.interfaces.includes('lo')) return [];
  return ['clients on 127.0.0.1 and ::1 are not copied: no target could answer them; give -c/--client-address'];
}

function addressNotes(config: CapturePlanConfig, localAddresses: readonly IpAddress[]): string[] {
  const isOpen = config.mappings.some((mapping) => mapping.onlineAddress === undefined);
  if (!isOpen || localAddresses.length <= LOCAL_ADDRESSES_MAX) return [];
  return [
    `this host has ${localAddresses.length} addresses, too many to name in a capture filter: traffic that it only forwards to the mapped ports is copied too; name the online address in -x to prevent that`,
  ];
}
