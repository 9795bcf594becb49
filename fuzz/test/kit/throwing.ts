import type { FuzzTarget } from '../../src/fuzz-target.js';

/** Breaks where the guidance has to lead, one octet after the other. */
const target: FuzzTarget = {
  seeds: [Uint8Array.of(1, 2, 3, 4)],
  run: (input) => {
    const [a, b, c] = input;
    if (a === undefined || a !== c) return 0;
    if (b !== 77) return 1;
    throw new Error('three octets agree');
  },
};
export default target;
