/** PostgreSQL clients and servers that say what they like to a session's player. */
import type { FuzzTarget } from '@trafficcopy/fuzz';
import { POSTGRESQL } from '../../src/protocol/postgresql/postgresql.js';
import { playerStep, runPlayerScript } from '../kit/player-script.js';
import { message } from '../kit/postgresql-server.js';

const SAYS = 0x20;
const HEARS = 0x01;
const octets = (text: string): Buffer => Buffer.from(text, 'latin1');
const start = message('', octets('\0\x03\0\0user\0shop\0database\0orders\0\0'));
const md5 = message('R', octets('\0\0\0\x05abcd'));
const sasl = message('R', octets('\0\0\0\x0aSCRAM-SHA-256\0\0'));
const first = message('R', octets('\0\0\0\x0br=x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1'));
const ready = Buffer.concat([message('R', octets('\0\0\0\0')), message('Z', octets('I'))]);
const batch = Buffer.concat([
  message('P', octets('s\0SELECT 1\0\0\0')),
  message('B', octets('\0s\0\0\0\0\0\0\0')),
  message('S', octets('')),
]);
const tls = octets('\0\0\0\x08\x04\xd2\x16\x2f');

const target: FuzzTarget = {
  seeds: [
    Uint8Array.from([
      1,
      ...playerStep(SAYS, tls),
      ...playerStep(SAYS, start),
      ...playerStep(HEARS, md5),
      ...playerStep(HEARS, ready),
      ...playerStep(SAYS, batch),
      7,
      0,
      ...playerStep(HEARS, ready),
      ...playerStep(HEARS, ready),
    ]),
    Uint8Array.from([
      0,
      ...playerStep(HEARS, sasl),
      ...playerStep(HEARS, first),
      ...playerStep(HEARS, ready),
      ...playerStep(SAYS, batch),
    ]),
  ],
  words: ['SCRAM-SHA-256\0\0', 'user\0', 'R\0\0\0', 'E\0\0\0', 'Z\0\0\0\x05I'],
  bytesMax: 1500,
  run: (input) => runPlayerScript(POSTGRESQL, input),
};
export default target;
