/** Response records and HEADERS payloads for live sessions: an intercept that lies, or a target that does what no TCP does. */
import type { FuzzTarget } from '@trafficcopy/fuzz';
import { EngineScript, engineScript } from '../kit/engine-script.js';

const target: FuzzTarget = {
  seeds: [
    Uint8Array.of(
      0x40,
      0,
      0,
      2,
      0,
      0,
      0,
      5,
      180,
      7,
      0,
      0,
      0,
      1,
      0,
      0,
      0,
      0,
      0,
      9,
      0,
      66,
      1,
      4,
      0,
      0,
      0,
      0,
      0,
      0,
      255,
      255,
    ),
  ],
  make: (random) =>
    engineScript(random, 1 + random.below(30), ['capture', 'capture', 'respond', 'respond', 'respondLiteral', 'wait']),
  bytesMax: 600,
  run: (input) => new EngineScript(input).run(),
};
export default target;
