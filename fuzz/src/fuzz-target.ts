import type { Random } from './random.js';

/** Something that reads hostile bytes. */
export interface FuzzTarget {
  /** Valid inputs to begin with: at least one. */
  readonly seeds: readonly Uint8Array[];
  /** A fresh input of the target's own making. Without it all inputs come from the seeds. */
  readonly make?: (random: Random) => Uint8Array;
  /** Another input made of `input`, where its form is worth keeping. Default: octets are changed, moved, repeated and cut. */
  readonly mutate?: (random: Random, input: Uint8Array) => Uint8Array;
  /** Pieces that the input's language is made of. */
  readonly words?: readonly string[];
  /** Octets of an input at most; {@link INPUT_BYTES_MAX} when left out. */
  readonly bytesMax?: number;
  /**
   * Takes one input. Throws when what must always hold did not.
   * @returns what happened, as any 32-bit number: an input that makes something new happen is kept, and others are made of it.
   */
  readonly run: (input: Uint8Array) => number | Promise<number>;
}

export const INPUT_BYTES_MAX = 4096;
/** What an input may have at most, whatever a target says: it has to fit into the shared memory. */
export const INPUT_BYTES_LIMIT = 256 * 1024;
