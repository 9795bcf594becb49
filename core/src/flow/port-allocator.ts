/**
 * Source ports towards targets: each (address, port, target) belongs to one session at a time, so that copies, reused
 * client ports and replaced client addresses never collide.
 */

import { flowHash } from './flow-hash.js';
import { FlowTable } from './flow-table.js';
import { ALL_PORTS, type PortShare, workerOfPort } from './port-share.js';

/** RFC 6335 6: below are the system ports, which clients do not use. */
const PORT_MIN = 1024;
const PORTS = 65536 - PORT_MIN;
/** Ports of ours that are tried for one session before it is shed: at 99 % use of an address, 1 in 10^5 finds none. */
const PROBES_MAX = 1200;

export class PortAllocator {
  readonly #table: FlowTable;
  readonly #seed: number;
  readonly #share: PortShare;

  /** `share`: the ports that may be taken; the others are other workers'. */
  constructor(sessionsMax: number, seed: number, share: PortShare = ALL_PORTS) {
    this.#table = new FlowTable(sessionsMax, seed);
    this.#seed = seed;
    this.#share = share;
  }

  /** Takes `port` itself; false when it is in use or another worker's, or the table is full. */
  take(address: Uint8Array, port: number, target: number, session: number): boolean {
    if (!this.#isOurs(port)) return false;
    if (this.#table.get(address, 0, address.length, port, target) >= 0) return false;
    return this.#table.set(address, 0, address.length, port, target, session);
  }

  /**
   * Takes a free port: a permuted walk through all of them that starts where the seed and `salt` say, as RFC 6056 3.3.3
   * does. 0 when none was found.
   */
  takeAny(address: Uint8Array, target: number, salt: number, session: number): number {
    const start = flowHash(this.#seed, address, 0, address.length, salt) % PORTS;
    const probesMax = Math.min(PROBES_MAX * this.#share.workers, PORTS);
    for (let probe = 0; probe < probesMax; probe += 1) {
      const port = PORT_MIN + ((start + probe * 7919) % PORTS);
      if (this.take(address, port, target, session)) return port;
    }
    return 0;
  }

  #isOurs(port: number): boolean {
    const { worker, workers } = this.#share;
    return workers === 1 || workerOfPort(port, workers) === worker;
  }

  /** The session that has the port; the address stands at `offset`. -1: none has. */
  holderOf(bytes: Uint8Array, offset: number, addressBytes: number, port: number, target: number): number {
    return this.#table.get(bytes, offset, addressBytes, port, target);
  }

  release(address: Uint8Array, port: number, target: number): void {
    this.#table.delete(address, 0, address.length, port, target);
  }
}
