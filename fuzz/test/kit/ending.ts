import type { FuzzTarget } from '../../src/fuzz-target.js';

/** Ends its thread. */
const target: FuzzTarget = {
  seeds: [Uint8Array.of(1)],
  run: (input) => {
    if (input[0] === 66) process.exit(3);
    return 0;
  },
};
export default target;
