import {
  type AddressRange,
  formatIpAddress,
  type HelloTarget,
  type IpAddress,
  type MappingConfig,
  type SampleConfig,
} from '@trafficcopy/core';
import { formatSocketAddress, type SocketAddress } from '@trafficcopy/runtime';
import type { PortLogins } from './logins/port-logins.js';
import type { BudgetLimits } from './safety-budget.js';

/** The way to one intercept. */
export interface LanePlan extends SocketAddress {
  /** What is behind it, as HELLO says. */
  readonly targets: readonly HelloTarget[];
  /** See CopyEndpointSettings; only with an operator. */
  readonly tokenVariable?: string | undefined;
  /** Octets of each response's payload that this intercept is asked for. Default: as the basis says. */
  readonly responsePayloadBytes?: number | undefined;
  /** What people call it; default: its host and port. */
  readonly name?: string | undefined;
}

/**
 * Which packets are captured. `host`: whatever arrives for the online endpoints. `wire`: what arrives from outside, not over
 * the loopback. `loopback`: what a proxy on this host hands on to the online server. `file`: what capture files hold for them. `connect`: the same, and clients on the loopback as
 * well, since no target sees their addresses.
 */
export type CaptureLeg = 'host' | 'wire' | 'loopback' | 'file' | 'connect';

/** Load that is raised evenly from nothing to all that the plan asks for. */
export interface RampPlan {
  /** 1 or more. */
  readonly durationMs: number;
  /** When it began, on the copy's clock; undefined: when copying begins, and again when it goes on. */
  readonly beganMs?: number | undefined;
}

/** What a copy does, as far as it can change while it runs. On the command line it is made once; an operator replaces it. */
export interface CopyPlan {
  /** `lane` of an endpoint is an index of `lanes`. */
  readonly mappings: readonly MappingConfig[];
  /** All different. */
  readonly lanes: readonly LanePlan[];
  /** Sessions for each connection and target. */
  readonly copies: number;
  readonly sample: SampleConfig;
  /** Default: all of it at once. */
  readonly ramp?: RampPlan | undefined;
  /** Empty: the clients' own addresses stay. */
  readonly clientAddresses: readonly AddressRange[];
  /** Who logs in at the targets. Default: nobody; sessions say what the clients said. */
  readonly logins?: readonly PortLogins[] | undefined;
  /** Nothing is copied for now. */
  readonly isSuspended: boolean;
  /** Octets towards the targets in a second, beyond which no session is started; 0: no limit. */
  readonly bytesPerSecondMax: number;
  /** What the program may use; default: as the basis says. */
  readonly budget?: BudgetLimits | undefined;
  readonly leg: CaptureLeg;
  /** Devices to capture on, for the leg `host`; empty: all. */
  readonly interfaces: readonly string[];
  /** A pcap expression that captured packets must fit as well. */
  readonly filter: string | undefined;
  /** Datagrams are copied, in the place of connections. Default: false. */
  readonly udp?: boolean | undefined;
  /** What online sends is captured as well. Default: false. */
  readonly seesAnswers?: boolean | undefined;
}

/** Lanes with one key are the same channel: a plan that has it again keeps it. */
export function laneKey({ host, port, targets, tokenVariable = '', responsePayloadBytes = 0 }: LanePlan): string {
  const parts = [
    formatSocketAddress({ host, port }),
    ...targets.map(formatTarget),
    tokenVariable,
    responsePayloadBytes,
  ];
  return parts.join(' ');
}

/** ADDRESS:PORT, with brackets around IPv6. */
export function formatTarget({ address, port }: HelloTarget): string {
  return formatSocketAddress({ host: address, port });
}

export function targetOf(address: IpAddress, port: number): HelloTarget {
  return { address: formatIpAddress(address), port };
}
