/**
 * Strangers at a port: --host --port --each (connections of each kind). Some say nothing, some send garbage, some begin a TLS handshake
 * and stop, some speak plain frames. Question: run -> connections that the server has closed by itself so far.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { ProgramControl } from './program-control.js';

const control = new ProgramControl(['host', 'port', 'each']);
const host = control.text('host', '127.0.0.1');
const port = control.number('port', 36_524);
let closed = 0;

/** A TLS record header that promises a handshake of 16 KB, and nothing after it. */
const HALF_A_HANDSHAKE = Buffer.from([0x16, 0x03, 0x01, 0x40, 0x00, 0x01]);
/** A frame header that announces more than a frame may hold. */
const HUGE_FRAME = Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0]);

const WORDS: readonly (() => Buffer)[] = [
  () => Buffer.alloc(0),
  () => randomBytes(4_000),
  () => HALF_A_HANDSHAKE,
  () => HUGE_FRAME,
  () => Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
  () => Buffer.from([0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0]),
];

async function knock(words: Buffer): Promise<void> {
  const socket = connect({ host, port });
  socket.on('error', () => {});
  socket.on('close', () => {
    closed += 1;
  });
  socket.resume();
  await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
  if (words.length > 0) socket.write(words);
}

control.on('run', async () => {
  for (let round = 0; round < control.number('each', 10); round += 1) {
    await Promise.all(WORDS.map((say) => knock(say())));
  }
  return closed;
});
control.ready();
