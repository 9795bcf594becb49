import { SILENCE_MS_MAX } from '@trafficcopy/runtime';

/** Sizes that are fixed at the start. At each of them something is refused and counted; nothing grows. */
export interface InterceptLimits {
  /** Flows of all copies together. */
  readonly flowsMax: number;
  /** Addresses and ports of targets that flows were opened to. */
  readonly endpointsMax: number;
  /** Established connections of copies. */
  readonly connectionsMax: number;
  /** First responses that wait for their REGISTER. */
  readonly parkedMax: number;
  /** How long they wait. */
  readonly parkedMs: number;
  /** How long the flows of a lost connection wait for their copy. */
  readonly graceMs: number;
  /** How long the rules outlast the connection of a Direct copy that may not know of its end: it still sends to the target itself. */
  readonly unawareMs: number;
  /** How long the rules outlast the last datagram: a target may answer so late. */
  readonly datagramAnswerMs: number;
  /** A flow without a packet in either direction is forgotten after so long. */
  readonly idleMs: number;
  /** The same for a flow of a C tcpcopy, which never says that one has ended. */
  readonly wireIdleMs: number;
  /** RST packets in a second, for responses that nobody wants. */
  readonly resetsPerSecondMax: number;
  /** Octets that may wait for one copy. */
  readonly connectionQueueBytesMax: number;
}

/** How long a C intercept keeps the response to a SYN whose registration is late. */
export const WIRE_PARKED_MS = 30_000;

/** About 40 MB of tables in all. */
export const INTERCEPT_LIMITS_DEFAULT: InterceptLimits = {
  flowsMax: 262_144,
  endpointsMax: 4096,
  connectionsMax: 256,
  parkedMax: 4096,
  parkedMs: 1000,
  graceMs: 30_000,
  unawareMs: SILENCE_MS_MAX + 1000,
  datagramAnswerMs: 5000,
  // Longer than any -k of a copy (7 days): copies release what is over, this only finds what was left behind.
  idleMs: 8 * 86_400_000,
  // Longer than the -k of both versions (1320 and 720 s).
  wireIdleMs: 1_800_000,
  resetsPerSecondMax: 2000,
  connectionQueueBytesMax: 16 * 1024 * 1024,
};

/**
 * For each target pod of a node. A flow takes 148 octets (two look-ups of 2 places of 24 octets, and 52 in the lines); every pod has
 * room for FLOWS_AT_START (1024) of its own, and all share NODE_FLOWS_MAX more. With queue buffer, reset buffer and small tables a
 * pod takes 0.4 MB from the start: 30 pods 12 MB, 128 pods 51 MB, and in all at most 38 MB of flows beyond that.
 */
export const NODE_LIMITS: InterceptLimits = {
  ...INTERCEPT_LIMITS_DEFAULT,
  endpointsMax: 256,
  parkedMax: 256,
};
export const NODE_FLOWS_MAX = 262_144;
