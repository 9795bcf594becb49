/**
 * Clients that say one thing and then nothing: --host --port --connections. Each connection sends a request, reads its answer and stays open.
 * Question: open -> how many are open, when all have their answers; close -> when all are closed.
 */
import { connect, type Socket } from 'node:net';
import { ProgramControl } from './program-control.js';

const control = new ProgramControl(['host', 'port', 'connections']);
const connections = control.number('connections', 100);
const host = control.text('host', '127.0.0.1');
const port = control.number('port', 80);
const REQUEST = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
/** Handshakes under way at one time: less than any backlog. */
const OPENING_MAX = 100;

const sockets: Socket[] = [];

async function openOne(): Promise<void> {
  const socket = connect({ host, port, noDelay: true });
  sockets.push(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('connect', () => socket.write(REQUEST));
    socket.once('data', () => resolve());
  });
  socket.removeAllListeners('error');
  socket.on('error', () => {});
}

async function openAll(): Promise<number> {
  const lines = Array.from({ length: OPENING_MAX }, async () => {
    while (sockets.length < connections) await openOne();
  });
  await Promise.all(lines);
  return sockets.filter((socket) => socket.readyState === 'open').length;
}

async function closeAll(): Promise<number> {
  const closed = sockets.map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())));
  for (const socket of sockets) socket.end();
  await Promise.all(closed);
  return closed.length;
}

control.on('open', openAll);
control.on('close', closeAll);
control.ready();
