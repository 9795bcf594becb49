import type { SampleConfig } from '../engine-config.js';
import { flowHash } from '../flow/flow-hash.js';
import type { PacketHeader } from '../wire/packet-header.js';

/** Which connections are copied: a share of them, the same ones for the same seed. */
export class ConnectionSample {
  readonly config: SampleConfig;
  /** Hashes below it are chosen; above 2^32 - 1 all are. */
  readonly #limit: number;

  constructor(config: SampleConfig) {
    this.config = config;
    this.#limit = config.fraction >= 1 ? 0x100000000 : Math.floor(config.fraction * 0x100000000);
  }

  /** Whether the connection of a client's packet is chosen. */
  has(bytes: Uint8Array, { addressOffset, addressBytes, sourcePort, destinationPort }: PacketHeader): boolean {
    if (this.#limit > 0xffffffff) return true;
    const word = this.config.by === 'connection' ? (sourcePort << 16) | destinationPort : 0;
    return flowHash(this.config.seed, bytes, addressOffset, addressBytes, word) < this.#limit;
  }
}
