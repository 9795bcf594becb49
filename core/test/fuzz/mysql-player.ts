/** MySQL clients and servers that say what they like to a session's player. */
import type { FuzzTarget } from '@trafficcopy/fuzz';
import { MYSQL } from '../../src/protocol/mysql/mysql.js';
import { MysqlServer, packet } from '../kit/mysql-server.js';
import { playerStep, runPlayerScript } from '../kit/player-script.js';

const SAYS = 0x20;
const HEARS = 0x01;
const text = (words: string): Uint8Array => Uint8Array.from(Buffer.from(words, 'latin1'));
const greeting = new MysqlServer({ users: {} }).greet({});
const login = packet(
  1,
  Buffer.concat([
    Buffer.from('85a2ff0000000001210000', 'hex'),
    Buffer.alloc(21),
    text('shop\0\x14'),
    Buffer.alloc(20, 1),
    text('mysql_native_password\0'),
  ]),
);
const switches = packet(2, text('\xfecaching_sha2_password\0aaaaaaaaaaaaaaaaaaaa\0'));
const OK = packet(2, text('\0\0\0\x02\0\0\0'));
const prepare = packet(0, text('\x16SELECT ?'));
const prepared = packet(1, text('\0\x05\0\0\0\0\0\0\0\0\0\0'));
const execute = packet(0, text('\x17\x01\0\0\0\0\x01\0\0\0'));
const change = packet(0, text('\x11shop\0\x01xdb\0\x21\0'));

const commands = [...playerStep(SAYS, prepare), ...playerStep(HEARS, prepared), ...playerStep(SAYS, execute)];
const target: FuzzTarget = {
  seeds: [
    Uint8Array.from([
      1,
      ...playerStep(HEARS, greeting),
      ...playerStep(SAYS, login),
      ...playerStep(HEARS, OK),
      ...commands,
      ...playerStep(SAYS, change),
    ]),
    Uint8Array.from([
      1,
      ...playerStep(HEARS, greeting),
      ...playerStep(SAYS, login),
      ...playerStep(HEARS, switches),
      ...playerStep(HEARS, packet(3, text('\x01\x04'))),
    ]),
    Uint8Array.from([
      0,
      ...playerStep(HEARS, greeting),
      ...playerStep(HEARS, OK),
      ...commands,
      15,
      0,
      ...playerStep(HEARS, greeting),
    ]),
  ],
  words: ['mysql_native_password', 'caching_sha2_password', '\x16', '\x17\x01\0\0\0', '\xff'],
  bytesMax: 2000,
  run: (input) => runPlayerScript(MYSQL, input),
};
export default target;
