import type { FuzzTarget } from '../../src/fuzz-target.js';

/** Takes 600 ms for some inputs. */
const target: FuzzTarget = {
  seeds: [Uint8Array.of(1)],
  run: (input) => {
    if (input[0] !== 66) return 0;
    const endMs = performance.now() + 600;
    while (performance.now() < endMs);
    return 1;
  },
};
export default target;
