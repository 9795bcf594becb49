/** Redis clients and servers that say what they like to a session's player. */
import type { FuzzTarget } from '@trafficcopy/fuzz';
import { REDIS } from '../../src/protocol/redis/redis.js';
import { playerStep, runPlayerScript } from '../kit/player-script.js';

const SAYS = 0x20;
const HEARS = 0x01;
const octets = (text: string): Buffer => Buffer.from(text, 'latin1');
const auth = octets('*3\r\n$4\r\nAUTH\r\n$4\r\nshop\r\n$1\r\nx\r\n');
const hello = octets('*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$4\r\nshop\r\n$1\r\nx\r\n');
const set = octets('*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\n\r\n\r\nAUTH y\r\nPING\r\n');

const target: FuzzTarget = {
  seeds: [
    Uint8Array.from([1, ...playerStep(SAYS, auth), ...playerStep(HEARS, octets('+OK\r\n')), ...playerStep(SAYS, set)]),
    Uint8Array.from([
      1,
      ...playerStep(SAYS, hello),
      ...playerStep(HEARS, octets('%1\r\n')),
      ...playerStep(0x22, set),
      7,
      0,
      ...playerStep(HEARS, octets('-NO\r\n')),
    ]),
    Uint8Array.from([
      0,
      ...playerStep(HEARS, octets('+OK\r\n')),
      ...playerStep(HEARS, octets('+OK\r\n')),
      ...playerStep(SAYS, set),
    ]),
  ],
  words: ['*2\r\n', '$4\r\n', 'AUTH', 'HELLO', 'SELECT', '\r\n', '-', '+OK\r\n'],
  bytesMax: 1500,
  run: (input) => runPlayerScript(REDIS, input),
};
export default target;
