/** Scripts of packets, responses, lanes and time for sessions whose streams a contrary protocol module translates. */
import type { FuzzTarget } from '@trafficcopy/fuzz';
import { CONTRARY_PROTOCOLS } from '../kit/contrary-protocol.js';
import { EngineScript, engineScript } from '../kit/engine-script.js';

const target: FuzzTarget = {
  // A client from its SYN on: text with an octet that makes the player wait, and time.
  seeds: [Uint8Array.of(0x10, 0, 0, 2, 0, 0, 0, 5, 180, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 9, 0, 0x42, 1, 7, 0, 50)],
  make: (random) =>
    engineScript(random, 1 + random.below(40), [
      'capture',
      'capture',
      'capture',
      'respond',
      'respondFrame',
      'lane',
      'wait',
    ]),
  bytesMax: 800,
  run: (input) => new EngineScript(input, CONTRARY_PROTOCOLS).run(),
};
export default target;
