import type { Delivery } from './hello.js';

/**
 * operator --CONFIG--> copy: everything that the copy should do now. It replaces what was said before; what goes on is not
 * disturbed (sessions stay where their endpoint stays).
 */
export interface CopySettings {
  readonly kind: 'copy';
  /** Generation of the TrafficCopy; the copy repeats it in its reports once it is in force. */
  readonly generation: number;
  readonly state: 'running' | 'suspended';
  readonly delivery: Delivery;
  /** `wire`: what arrives at the pod; `loopback`: the leg between a proxy in the pod and the application. */
  readonly capture: 'wire' | 'loopback';
  readonly mappings: readonly CopyMappingSettings[];
  readonly sample: CopySampleSettings;
  /** Sessions for each connection and target, 1 or more. */
  readonly copies: number;
  /** Ranges (CIDR) that replace the clients' addresses; empty: they are kept. */
  readonly clientRanges: readonly string[];
  readonly limits: CopyLimitSettings;
}

export interface CopyMappingSettings {
  readonly onlinePort: number;
  /** 1 to 8; each gets every connection. */
  readonly targets: readonly CopyTargetSettings[];
}

export interface CopyTargetSettings {
  /** As in the TrafficCopy. */
  readonly name: string;
  /** A session goes to one of them. Empty: nowhere to go at the moment; its sessions are counted as `targetUnavailable`. */
  readonly endpoints: readonly CopyEndpointSettings[];
}

export interface CopyEndpointSettings {
  /** Text form of the target pod's address. */
  readonly address: string;
  readonly port: number;
  /** Where the intercept that serves it listens. */
  readonly interceptHost: string;
  readonly interceptPort: number;
}

export interface CopySampleSettings {
  /** 0 to 1. */
  readonly fraction: number;
  readonly by: 'connection' | 'client';
  readonly seed: number;
}

export interface CopyLimitSettings {
  readonly sessionsMax: number;
  /** Octets of client streams that wait for targets. */
  readonly heldBytesMax: number;
  /** Octets towards the targets in a second; 0: no limit. */
  readonly bytesPerSecondMax: number;
}
