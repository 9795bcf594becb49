import { type SampleConfig, SHARE_PPM_MAX } from '../engine-config.js';
import { flowHash } from '../flow/flow-hash.js';
import type { PacketHeader } from '../wire/packet-header.js';
import type { Captured } from './captured.js';

const HASHES = 0x100000000;

/** Who sends a packet, and to which port: TCP or UDP. */
export type ClientEnd = Pick<PacketHeader, 'addressOffset' | 'addressBytes' | 'sourcePort' | 'destinationPort'>;

export type SampleVerdict = 'chosen' | 'sampledOut' | 'overBudget';

/**
 * Which connections are copied: a share of them, the same ones for the same seed; and of those, while the program is beyond its
 * safety budget, again a share. Each is a subset of what a larger share chooses.
 */
export class ConnectionSample {
  readonly config: SampleConfig;
  /** Hashes below it are chosen; above 2^32 - 1 all are. */
  readonly #limit: number;
  /** Hashes from here to the limit are left out for the budget. */
  readonly #budgetLimit: number;

  /** @param budgetSharePpm 0 to SHARE_PPM_MAX */
  constructor(config: SampleConfig, budgetSharePpm = SHARE_PPM_MAX) {
    this.config = config;
    this.#limit = config.fraction >= 1 ? HASHES : Math.floor(config.fraction * HASHES);
    this.#budgetLimit = Math.floor(this.#limit * (budgetSharePpm / SHARE_PPM_MAX));
  }

  /** Whether the connection of a client's packet is chosen, and else why not. */
  verdict(bytes: Uint8Array, { addressOffset, addressBytes, sourcePort, destinationPort }: ClientEnd): SampleVerdict {
    if (this.#budgetLimit === HASHES) return 'chosen';
    const hash = this.#hash(bytes, addressOffset, addressBytes, sourcePort, destinationPort);
    if (hash < this.#budgetLimit) return 'chosen';
    return hash < this.#limit ? 'overBudget' : 'sampledOut';
  }

  /** Where a connection stands among those that are chosen, from 0 up to but not including 1. */
  placeOf(bytes: Uint8Array, { addressOffset, addressBytes, sourcePort, destinationPort }: ClientEnd): number {
    return this.#hash(bytes, addressOffset, addressBytes, sourcePort, destinationPort) / this.#limit;
  }

  /** The same of a connection that is followed. One that was chosen when the share was larger stands at 1 or beyond. */
  placeOfCaptured({ clientAddress, clientPort, mapping }: Captured): number {
    return this.#hash(clientAddress, 0, clientAddress.length, clientPort, mapping.onlinePort) / this.#limit;
  }

  /** Whether a connection that was chosen once is left out for the budget now. A share (-r) that became smaller ends nothing. */
  isOverBudget({ clientAddress, clientPort, mapping }: Captured): boolean {
    if (this.#budgetLimit === this.#limit) return false;
    const hash = this.#hash(clientAddress, 0, clientAddress.length, clientPort, mapping.onlinePort);
    return hash >= this.#budgetLimit;
  }

  #hash(bytes: Uint8Array, offset: number, addressBytes: number, clientPort: number, onlinePort: number): number {
    const word = this.config.by === 'connection' ? (clientPort << 16) | onlinePort : 0;
    return flowHash(this.config.seed, bytes, offset, addressBytes, word);
  }
}
