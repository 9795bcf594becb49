import { formatIpAddress, isInRange, type MappingConfig } from '@trafficcopy/core';
import { UsageError } from '@trafficcopy/runtime';
import type { CopyPlan } from '../copy-plan.js';
import { type CaptureFilterOptions, captureFilter, LOCAL_ADDRESSES_MAX } from './capture-filter.js';
import type { LocalNetwork } from './local-network.js';

/** What of a copy's plan decides on the capture. */
export type CapturePlanInput = Pick<
  CopyPlan,
  'mappings' | 'clientAddresses' | 'leg' | 'interfaces' | 'filter' | 'seesAnswers' | 'udp'
>;

/** What to capture, and where. */
export interface CapturePlan {
  /** Devices; '' is all of them. */
  readonly interfaceNames: readonly string[];
  /** The libpcap expression, for packets that start at their IP header. */
  readonly filter: string;
  /** Each packet once, and not at these interfaces (indices), where it comes again by another one. Undefined: as often as it comes. */
  readonly besides?: readonly number[] | undefined;
  /** For the log: what will not be captured although one might expect it. */
  readonly notes: readonly string[];
}

/** Beyond so many devices of a pod or host all of them are captured on by one source. */
const WIRES_MAX = 8;
/** What no packet fits: there is nothing to copy. */
const NOTHING = 'tcp and not tcp';

/**
 * The capture for a plan on a host with these addresses and devices. Pure.
 *
 * @throws UsageError when nothing that the mappings name could ever be copied.
 */
export function capturePlan(plan: CapturePlanInput, local: LocalNetwork): CapturePlan {
  const loopbackClients = plan.clientAddresses.length > 0 || plan.leg === 'connect';
  if (!loopbackClients) plan.mappings.forEach(refuseLoopback);
  return {
    interfaceNames: interfaceNames(plan, local),
    filter: plan.mappings.length === 0 ? NOTHING : captureFilter(filterOptions(plan, local, loopbackClients)),
    besides:
      plan.udp === true && plan.leg === 'host' && plan.interfaces.length === 0 ? (local.lowers?.() ?? []) : undefined,
    notes: [...loopbackNotes(plan, loopbackClients), ...addressNotes(plan, local)],
  };
}

function interfaceNames({ leg, interfaces }: CapturePlanInput, { wires }: LocalNetwork): readonly string[] {
  switch (leg) {
    case 'host':
      return interfaces.length === 0 ? [''] : [...new Set(interfaces)];
    case 'wire':
      return wires.length === 0 || wires.length > WIRES_MAX ? [''] : wires;
    case 'loopback':
      return ['lo'];
    case 'file':
    case 'connect':
      return ['file'];
  }
}

function filterOptions(plan: CapturePlanInput, local: LocalNetwork, loopbackClients: boolean): CaptureFilterOptions {
  const { mappings, clientAddresses, leg, filter, seesAnswers, udp = false } = plan;
  return {
    transport: udp ? 'udp' : 'tcp',
    online: mappings.map(({ onlineAddress, onlinePort, ipVersion }) => ({
      address: onlineAddress,
      port: onlinePort,
      addressBytes: ipVersion === 4 ? 4 : 16,
    })),
    localAddresses: local.addresses,
    // In a pod they are none of its own addresses, and may be more than a filter can name.
    targets: leg === 'host' ? mappings.flatMap(({ targets }) => targets.flatMap(({ endpoints }) => endpoints)) : [],
    loopbackClients: leg !== 'wire' && loopbackClients,
    ownClientsOnly: leg === 'loopback',
    isSender:
      !udp &&
      local.addresses.some((address) => clientAddresses.some((range) => isInRange(address, 0, address.length, range))),
    seesAnswers,
    condition: filter,
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

function loopbackNotes(plan: CapturePlanInput, loopbackClients: boolean): string[] {
  if (loopbackClients || !plan.interfaces.includes('lo')) return [];
  return ['clients on 127.0.0.1 and ::1 are not copied: no target could answer them; give -c/--client-address'];
}

function addressNotes(plan: CapturePlanInput, { addresses }: LocalNetwork): string[] {
  const isOpen = plan.mappings.some((mapping) => mapping.onlineAddress === undefined);
  if (!isOpen || addresses.length <= LOCAL_ADDRESSES_MAX) return [];
  return [
    `this host has ${addresses.length} addresses, too many to name in a capture filter: traffic that it only forwards to the mapped ports is copied too; name the online address in -x to prevent that`,
  ];
}
