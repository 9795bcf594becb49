import type { CompareConfig } from './compare/compare-config.js';
import type { PortShare } from './flow/port-share.js';
import type { EngineLimits } from './limits.js';
import type { Credentials } from './protocol/credential.js';
import type { Digests } from './protocol/digests.js';
import type { Protocol } from './protocol/protocol.js';
import type { TargetMeter } from './session/target-meter.js';
import type { AddressRange } from './wire/address-range.js';
import type { IpAddress } from './wire/ip-address.js';

/** Targets that one mapping may have. */
export const TARGETS_MAX = 8;
/** Endpoints that one target may have. */
export const ENDPOINTS_MAX = 256;
/** A whole share, in parts per million. */
export const SHARE_PPM_MAX = 1_000_000;

/** One place where a target listens. Known again by its address, port and lane when the settings change. */
export interface EndpointConfig {
  /** The lane (intercept) that serves it: an index into the engine's output batches. */
  readonly lane: number;
  readonly address: IpAddress;
  readonly port: number;
}

/** One server under test for one mapping: one or more endpoints that are as good as each other. */
export interface TargetConfig {
  /** For reports: "10.16.12.11:80". Known again by it when the settings change; different from all others of the mapping. */
  readonly name: string;
  /** Up to ENDPOINTS_MAX. Each session goes to one of them. None: its turns are lost as `targetUnavailable`. */
  readonly endpoints: readonly EndpointConfig[];
  /** Whether it is known to close right behind its answers, or not to. Undefined: that is found out. */
  readonly closesAfterAnswer?: boolean | undefined;
}

/**
 * What is copied, and where to. The first mapping that fits a packet's destination wins. Known again by address, port and
 * version when the settings change.
 */
export interface MappingConfig {
  /** Undefined: any address of this host. */
  readonly onlineAddress?: IpAddress | undefined;
  readonly onlinePort: number;
  /** The mapping takes packets of this IP version only; all endpoints are of it. */
  readonly ipVersion: 4 | 6;
  /** 1 to TARGETS_MAX; each gets a full copy. */
  readonly targets: readonly TargetConfig[];
}

export interface SampleConfig {
  /** Share of connections that are copied, 0 to 1. A smaller share is a subset of a larger one with the same seed. */
  readonly fraction: number;
  readonly by: 'connection' | 'client';
  readonly seed: number;
}

/** Protocols whose logins are rewritten. */
export interface ProtocolsConfig {
  /** By port of online. */
  readonly byPort: ReadonlyMap<number, { readonly protocol: Protocol; readonly credentials: Credentials }>;
  readonly digests: Digests;
  /** 16 random octets or more, which nobody else knows. */
  readonly nonceKey: Uint8Array;
}

export interface EngineConfig {
  readonly mappings: readonly MappingConfig[];
  /** Lanes at the start, 0 to limits.lanesMax; they have the numbers from 0 on. */
  readonly lanes: number;
  /** Sessions for each connection and target (-n), 1 or more. */
  readonly copies: number;
  readonly sample: SampleConfig;
  /** Replace the client's address by one of these (-c); empty: keep it. */
  readonly clientAddresses: readonly AddressRange[];
  /** Hold each turn until the target answered the one before (false: -W). */
  readonly wait: boolean;
  /** Copy UDP datagrams, one way, instead of TCP connections. Clients have addresses of `clientAddresses` then. Default: false. */
  readonly udp?: boolean | undefined;
  /** Only connections whose SYN was captured (-O). */
  readonly fullSessionsOnly: boolean;
  /** Connections that carry TLS are counted and not copied: no target could read another client's secrets. Default: true. */
  readonly recogniseTls?: boolean;
  /** Compare answers; undefined: nobody wants to know. */
  readonly compare?: CompareConfig | undefined;
  /** Default: none. The intercepts have to return payload then. */
  readonly protocols?: ProtocolsConfig | undefined;
  /** Largest IP packet towards the target, octets (-M). */
  readonly mtuBytes: number;
  /**
   * Carry our TCP option in every segment: Direct delivery needs it. The SYN alone is not enough: a target that answers with a SYN
   * cookie makes its socket from the ACK, and a segment that meets no socket is answered with a RST that has only its mark.
   */
  readonly markSegments: boolean;
  /** Seeds initial sequence numbers and the choice of ports. */
  readonly seed: number;
  /** The ports that sessions may have, when other engines have the rest. Default: all. */
  readonly ports?: PortShare | undefined;
  /** A session whose target does not answer for so long ends (-t), ms. */
  readonly responseTimeoutMs: number;
  /** An idle connection is forgotten after so long (-k), ms. */
  readonly idleTimeoutMs: number;
  readonly limits: EngineLimits;
  /** Gets the name of each target and returns who is told what it does, if anybody. Default: nobody. */
  readonly meterFor?: ((target: string) => TargetMeter | undefined) | undefined;
}
