/** Streams of strangers and of peers into a server of channels, over loopback: each socket ends, and nothing of it stays. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { encodeFrame, encodeHello, FRAME } from '@trafficcopy/core';
import type { FuzzTarget } from '@trafficcopy/fuzz';
import { ChannelServer } from '../../src/index.js';

const NAMES = { role: 'copy', name: 'online-1', delivery: 'tunnel', capabilities: [], targets: [] } as const;
const HELLO = encodeFrame(FRAME.HELLO, encodeHello({ ...NAMES, version: { major: 1, minor: 0 } }));
const FRAMES = [FRAME.PING, FRAME.PACKETS, FRAME.RENEW, FRAME.GOAWAY, FRAME.STATS, FRAME.HELLO].map((type) =>
  encodeFrame(type, Buffer.from('{"code":"closing","message":"","certificateRequest":""}')),
);

const seen = { opened: 0, closed: 0, frames: 0, refused: 0, faults: 0 };
const server = new ChannelServer({
  address: '127.0.0.1',
  port: 0,
  credentials: 'insecure',
  hello: { ...NAMES, role: 'intercept' },
  onConnection: () => seen.opened++,
  onFrame: (_connection, _type, bytes, offset, length) => {
    assert.ok(offset + length <= bytes.length);
    seen.frames += 1;
  },
  onClose: () => seen.closed++,
  onRefusal: () => seen.refused++,
  onFault: () => seen.faults++,
});
await server.listen();

/** Says the input and then no more; resolves when the server has ended, too. */
async function say(input: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = net.connect({ port: server.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    socket.on('connect', () => socket.end(input));
    socket.on('data', () => {});
    // The server may end before it has read everything: that resets us.
    socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRNOTAVAIL' ? reject(error) : resolve()));
    socket.on('end', () => socket.resetAndDestroy());
    socket.on('close', () => resolve());
  });
}

const target: FuzzTarget = {
  seeds: [HELLO, Buffer.concat([HELLO, ...FRAMES]), ...FRAMES, Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  bytesMax: 1000,
  run: async (input) => {
    const before = { ...seen };
    await say(input);
    // What the server has of the socket goes within the next turns of the loop.
    for (let turns = 0; turns < 1000 && (server.handshakes > 0 || seen.opened !== seen.closed); turns += 1) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(server.handshakes, 0, 'no handshake is left');
    assert.equal(server.connections.size, 0, 'no connection is left');
    assert.equal(seen.opened, seen.closed, 'each connection is closed once');
    assert.equal(seen.faults, 0);
    const [opened, refused] = [seen.opened - before.opened, seen.refused - before.refused];
    assert.ok(opened <= 1 && refused <= 1, 'one socket is one connection, or one refusal');
    return opened + refused * 2 + Math.min(15, seen.frames - before.frames) * 4;
  },
};
export default target;
