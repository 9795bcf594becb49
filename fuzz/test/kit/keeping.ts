import type { FuzzTarget } from '../../src/fuzz-target.js';

const kept: Uint8Array[] = [];

/** Keeps 100 KB of each input. */
const target: FuzzTarget = {
  seeds: [Uint8Array.of(1)],
  run: (input) => {
    kept.push(new Uint8Array(100_000).fill(input[0] ?? 0));
    return kept.length & 1;
  },
};
export default target;
