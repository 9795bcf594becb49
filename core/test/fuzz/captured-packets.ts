/** Captured packets of clients, whole, broken and lying, into an engine with live sessions. */
import type { FuzzTarget } from '@trafficcopy/fuzz';
import { EngineScript, engineScript } from '../kit/engine-script.js';

const target: FuzzTarget = {
  // SYN, ACK, a request; what the engine makes of it is answered by the rig's target.
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
      1,
      0,
      0,
      0,
      0,
      65,
      0,
      0,
      0,
      0,
      0,
      0,
      9,
      0,
      66,
      1,
    ),
  ],
  make: (random) =>
    engineScript(random, 1 + random.below(30), ['capture', 'capture', 'captureChanged', 'captureAnswer', 'wait']),
  bytesMax: 600,
  run: (input) => new EngineScript(input).run(),
};
export default target;
