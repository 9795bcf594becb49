import type { EngineLimits } from './limits.js';
import type { IpAddress } from './wire/ip-address.js';

/** One server under test for one mapping. */
export interface TargetConfig {
  /** The lane (intercept) that serves it: an index into the engine's output batches. */
  readonly lane: number;
  readonly address: IpAddress;
  readonly port: number;
  /** For reports: "10.16.12.11:80". */
  readonly name: string;
  /** Whether it is known to close right behind its answers, or not to. Undefined: that is found out. */
  readonly closesAfterAnswer?: boolean | undefined;
}

/** What is copied, and where to. The first mapping that fits a packet's destination wins. */
export interface MappingConfig {
  /** Undefined: any address of this host. */
  readonly onlineAddress?: IpAddress | undefined;
  readonly onlinePort: number;
  /** 1 to 8; each gets a full copy. All are of one IP version: the mapping takes packets of that version only. */
  readonly targets: readonly TargetConfig[];
}

export interface SampleConfig {
  /** Share of connections that are copied, 0 to 1. A smaller share is a subset of a larger one with the same seed. */
  readonly fraction: number;
  readonly by: 'connection' | 'client';
  readonly seed: number;
}

export interface EngineConfig {
  readonly mappings: readonly MappingConfig[];
  /** Lanes, 1 or more: how many output batches there are. */
  readonly lanes: number;
  /** Sessions for each connection and target (-n), 1 or more. */
  readonly copies: number;
  readonly sample: SampleConfig;
  /** Replace the client's address by one of these (-c); empty: keep it. */
  readonly clientAddresses: readonly IpAddress[];
  /** Hold each turn until the target answered the one before (false: -W). */
  readonly wait: boolean;
  /** Only connections whose SYN was captured (-O). */
  readonly fullSessionsOnly: boolean;
  /** Largest IP packet towards the target, octets (-M). */
  readonly mtuBytes: number;
  /**
   * Carry our TCP option in every segment: Direct delivery needs it. The SYN alone is not enough: a target that answers with a SYN
   * cookie makes its socket from the ACK, and a segment that meets no socket is answered with a RST that has only its mark.
   */
  readonly markSegments: boolean;
  /** Seeds initial sequence numbers and the choice of ports. */
  readonly seed: number;
  /** A session whose target does not answer for so long ends (-t), ms. */
  readonly responseTimeoutMs: number;
  /** An idle connection is forgotten after so long (-k), ms. */
  readonly idleTimeoutMs: number;
  readonly limits: EngineLimits;
}
