/**
 * How workers share the clients: by their ports. Each port belongs to one of them, so packets of a connection all come to one worker,
 * and no two workers can ever use the same port towards a target, whatever addresses and mappings are in force.
 */

/** The ports of one worker. */
export interface PortShare {
  /** 0 to workers - 1. */
  readonly worker: number;
  readonly workers: number;
}

/** All ports: there is one worker. */
export const ALL_PORTS: PortShare = { worker: 0, workers: 1 };

/** 2^32 divided by the golden ratio: the upper half of the product is spread evenly, whatever the ports have in common. */
const MULTIPLIER = 0x9e3779b1;

/**
 * The worker that a port belongs to, of `workers`. Linux gives connecting sockets ports of one parity, so a plain remainder would
 * leave half of the workers idle. Native code filters packets by the same function (native/src/packet_filter.cc).
 */
export function workerOfPort(port: number, workers: number): number {
  return (Math.imul(port, MULTIPLIER) >>> 16) % workers;
}
