import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import {
  CHANNEL_VERSION,
  encodeFrame,
  encodeHello,
  encodeRefusal,
  FRAME,
  FRAME_PAYLOAD_BYTES_MAX,
  type FrameType,
  parseGoodbye,
  parseRefusal,
  RECORD_PACKET,
  ReplayBatch,
} from '@trafficcopy/core';
import { HANDSHAKES_MAX } from '../../src/index.js';
import { ChannelFixture, CLIENT_HELLO, exchangeFrames, SERVER_HELLO, until } from './channel-fixture.js';

const HELLO_FRAME = encodeFrame(FRAME.HELLO, encodeHello({ ...CLIENT_HELLO, version: CHANNEL_VERSION }));
const WELCOME_FRAME = encodeFrame(FRAME.WELCOME, encodeHello({ ...SERVER_HELLO, version: CHANNEL_VERSION }));

/** A socket that keeps what it receives. */
function rawClient(port: number): { socket: net.Socket; received(): Buffer; closed: Promise<void> } {
  const chunks: Buffer[] = [];
  const socket = net.connect({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  socket.on('data', (chunk) => chunks.push(chunk));
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return { socket, received: () => Buffer.concat(chunks), closed };
}

/** A server that does what the test says with each socket. */
async function rawServer(onSocket: (socket: net.Socket) => void): Promise<{ port: number; close(): void }> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { port: (server.address() as net.AddressInfo).port, close };
}

test('frames of all sizes arrive whole, in order and unchanged, in both directions', async (t) => {
  const fixture = new ChannelFixture(t);
  const { server, seen } = await fixture.serve({});
  const client = fixture.connect({ port: server.port });
  const sizes = [0, 1, 7, 8, 65527, 65528, 65529, 200_000, FRAME_PAYLOAD_BYTES_MAX, 3, 0];
  await exchangeFrames(client, seen, sizes);
  const { framesSent, framesDropped } = client.client.connection!.statistics;
  assert.deepEqual({ framesSent, framesDropped }, { framesSent: sizes.length + 1, framesDropped: 0 });
});

test('a payload beyond the frame limit is our own bug and throws', async (t) => {
  const fixture = new ChannelFixture(t);
  const { server } = await fixture.serve({});
  const { client } = fixture.connect({ port: server.port });
  await until('up', () => client.connection !== undefined);
  assert.throws(() => client.connection!.send(FRAME.PACKETS, Buffer.alloc(FRAME_PAYLOAD_BYTES_MAX + 1)), RangeError);
});

test('a batch larger than a frame is split between records', async (t) => {
  const fixture = new ChannelFixture(t);
  const { server, seen } = await fixture.serve({});
  const { client } = fixture.connect({ port: server.port });
  await until('up', () => client.connection !== undefined);
  const batch = new ReplayBatch(3 * 1024 * 1024, 4096);
  for (let index = 0; batch.hasRoom(1000 + (index % 7)); index += 1) {
    const packetBytes = 1000 + (index % 7);
    const at = batch.append(index, RECORD_PACKET, packetBytes);
    batch.bytes.fill(index, at, at + packetBytes);
  }
  assert.ok(client.connection!.sendBatch(FRAME.PACKETS, batch));
  const expected = Buffer.from(batch.bytes.subarray(batch.headroomBytes, batch.length));
  batch.clear();
  assert.ok(client.connection!.sendBatch(FRAME.PACKETS, batch), 'an empty batch is no frame');
  const receivedBytes = (): number => seen.frames.reduce((sum, { payload }) => sum + payload.length, 0);
  await until('all octets are there', () => receivedBytes() === expected.length);
  assert.ok(Buffer.concat(seen.frames.map(({ payload }) => payload)).equals(expected));
  assert.ok(seen.frames.length >= 3);
  let records = 0;
  for (const { payload } of seen.frames) {
    assert.ok(payload.length <= 64 * 1024, 'the peer can begin before all of it has come');
    let at = 0;
    while (at < payload.length) {
      assert.equal(payload.readUInt32BE(at), records, 'each frame begins with a record');
      records += 1;
      at += 8 + ((payload.readUInt16BE(at + 4) + 3) & ~3);
    }
    assert.equal(at, payload.length, 'each frame ends with one');
  }
});

test('a record larger than a frame of a batch has a frame of its own', async (t) => {
  const fixture = new ChannelFixture(t);
  const { server, seen } = await fixture.serve({});
  const { client } = fixture.connect({ port: server.port });
  await until('up', () => client.connection !== undefined);
  const batch = new ReplayBatch(1024 * 1024, 16);
  for (const packetBytes of [65_535, 65_535, 40, 40, 65_535]) batch.append(1, RECORD_PACKET, packetBytes);
  assert.ok(client.connection!.sendBatch(FRAME.PACKETS, batch));
  await until('all frames are there', () => seen.frames.length === 4);
  assert.deepEqual(
    seen.frames.map(({ payload }) => payload.length),
    [65_544, 65_544, 96, 65_544],
  );
});

test('a peer that always has more to say is read a bounded number of octets in each turn of the loop', async (t) => {
  const fixture = new ChannelFixture(t);
  let totalBytes = 0;
  let turnBytes = 0;
  let longestTurnBytes = 0;
  const { server } = await fixture.serve({
    onFrame: (_connection, _type, _bytes, _offset, length) => {
      totalBytes += length;
      if (turnBytes === 0) {
        setImmediate(() => {
          longestTurnBytes = Math.max(longestTurnBytes, turnBytes);
          turnBytes = 0;
        });
      }
      turnBytes += length;
    },
  });
  const { socket } = rawClient(server.port);
  const frame = encodeFrame(FRAME.PACKETS, Buffer.alloc(1000));
  const frames = 16_000;
  socket.write(HELLO_FRAME);
  socket.write(Buffer.concat(new Array<Uint8Array>(frames).fill(frame)));
  await until('all octets are there', () => totalBytes === frames * 1000);
  assert.ok(longestTurnBytes <= 512 * 1024, `${longestTurnBytes} octets in one turn`);
  socket.destroy();
});

test('HELLO that comes octet by octet is understood', async (t) => {
  const fixture = new ChannelFixture(t);
  const { server, seen } = await fixture.serve({});
  const { socket, received } = rawClient(server.port);
  socket.setNoDelay(true);
  for (const octet of HELLO_FRAME) {
    await new Promise<void>((resolve) => socket.write(Uint8Array.of(octet), () => resolve()));
  }
  await until('WELCOME', () => received().length > 8 && seen.connections.length === 1);
  assert.equal(received()[4], FRAME.WELCOME);
  assert.deepEqual(seen.connections[0]!.peer, { ...CLIENT_HELLO, version: CHANNEL_VERSION });
  socket.destroy();
  await until('the server noticed', () => seen.closed.length === 1);
  assert.equal(seen.closed[0]!.code, 'ERR_CHANNEL_LOST');
});

test('a frame type that is not known is skipped, and PING is answered', async (t) => {
  const fixture = new ChannelFixture(t);
  const { server, seen } = await fixture.serve({});
  const { socket, received } = rawClient(server.port);
  socket.write(HELLO_FRAME);
  await until('WELCOME', () => received().length > 8);
  const welcomeBytes = received().length;
  socket.write(encodeFrame(200 as FrameType, Buffer.alloc(100)));
  socket.write(encodeFrame(FRAME.PING, Buffer.from('abc')));
  socket.write(encodeFrame(FRAME.STATS, Buffer.from('{}')));
  await until('STATS and PONG', () => seen.frames.length === 1 && received().length > welcomeBytes);
  assert.equal(seen.frames[0]!.type, FRAME.STATS);
  const pong = received().subarray(welcomeBytes);
  assert.deepEqual(pong, Buffer.from(encodeFrame(FRAME.PONG, Buffer.from('abc'))));
  socket.destroy();
});

for (const [what, octets, code, expected] of [
  ['text', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'protocol', /its first octets are the text "GET \/ HT"/],
  ['noise', Buffer.from('ff00ff00ff00ff00ff00', 'hex'), 'protocol', /its first octets are ff 00 ff/],
  [
    'another frame first',
    encodeFrame(FRAME.PACKETS, Buffer.alloc(8)),
    'protocol',
    /must be HELLO or JOIN, not PACKETS/,
  ],
  [
    'HELLO without magic',
    encodeFrame(FRAME.HELLO, Buffer.from('{}{}{}{}')),
    'protocol',
    /does not begin with the magic/,
  ],
  [
    'HELLO that is no JSON',
    encodeFrame(FRAME.HELLO, Buffer.from('544343480100000078', 'hex')),
    'protocol',
    /HELLO cannot be read/,
  ],
  [
    'another major version',
    encodeFrame(FRAME.HELLO, encodeHello({ ...CLIENT_HELLO, version: { major: 2, minor: 5 } })),
    'version',
    /version 2\.5 is not served here, only 1\.x; use the same release/,
  ],
  ['nothing', Buffer.alloc(0), 'handshakeTimeout', /no HELLO within 0\.15 s/],
  ['half a header', Buffer.from('0000', 'hex'), 'handshakeTimeout', /no HELLO within 0\.15 s/],
] as const) {
  test(`a stranger that sends ${what} gets REFUSED with ${code}, and others are served`, async (t) => {
    const fixture = new ChannelFixture(t);
    const { server, seen } = await fixture.serve({ handshakeTimeoutMs: 150 });
    const other = fixture.connect({ port: server.port });
    await until('another client is up', () => other.seen.connections.length === 1);
    const { socket, received, closed } = rawClient(server.port);
    socket.write(octets);
    await closed;
    assert.equal(received()[4], FRAME.REFUSED);
    assert.equal(received().readUInt32BE(0), received().length - 8, 'nothing else was sent');
    const refusal = parseRefusal(received(), 8)!;
    assert.equal(refusal.code, code);
    assert.match(refusal.message, expected);
    assert.deepEqual(refusal.version, CHANNEL_VERSION);
    assert.equal(seen.refusals[0]!.refusal, code);
    assert.equal(server.handshakes, 0);
    assert.ok(other.client.connection!.send(FRAME.STATS, Buffer.from('{}')));
    await until('the other client’s frame arrives', () => seen.frames.length === 1);
  });
}

test('the client names a server of another version, and gives up', async (t) => {
  const fixture = new ChannelFixture(t);
  const server = await rawServer((socket) => {
    socket.end(encodeFrame(FRAME.REFUSED, encodeRefusal('version', 'only 2.x', { major: 2, minor: 0 })));
  });
  t.after(() => server.close());
  const { seen } = fixture.connect({ port: server.port });
  await until('the client gave up', () => seen.downs.length === 1);
  assert.equal(seen.downs[0]!.reason.refusal, 'version');
  assert.equal(seen.downs[0]!.willRetry, false);
  assert.match(seen.downs[0]!.reason.message, /only 2\.x/);
});

test('a server that is none of ours is named, and tried again', async (t) => {
  const fixture = new ChannelFixture(t);
  const server = await rawServer((socket) => socket.write('SSH-2.0-OpenSSH_9.9\r\n'));
  t.after(() => server.close());
  const { seen } = fixture.connect({ port: server.port });
  await until('two attempts', () => seen.downs.length === 2);
  assert.equal(seen.downs[0]!.reason.code, 'ERR_CHANNEL_PROTOCOL');
  assert.match(seen.downs[0]!.reason.message, /is no TrafficCopy server: its first octets are the text "SSH-2\.0-"/);
  assert.equal(seen.downs[0]!.willRetry, true);
});

test('a server that accepts and stays silent is given up after the timeout, and tried again', async (t) => {
  const fixture = new ChannelFixture(t);
  const server = await rawServer(() => {});
  t.after(() => server.close());
  const { seen } = fixture.connect({ port: server.port, connectTimeoutMs: 100 });
  await until('two attempts', () => seen.downs.length === 2);
  assert.equal(seen.downs[0]!.reason.code, 'ERR_CHANNEL_TIMEOUT');
  assert.equal(seen.downs[0]!.willRetry, true);
});

test('nobody listens: the client says so, goes on trying, and is up when the server comes', async (t) => {
  const fixture = new ChannelFixture(t);
  const { server } = await fixture.serve({});
  const { port } = server;
  await server.close();
  const client = fixture.connect({ port });
  await until('two attempts', () => client.seen.downs.length >= 2);
  assert.equal(client.seen.downs[0]!.reason.code, 'ERR_CHANNEL_UNREACHABLE');
  assert.match(client.seen.downs[0]!.reason.message, /nothing listens there.*ECONNREFUSED/);
  await fixture.serve({ port });
  await until('up', () => client.seen.connections.length === 1);
});

test('a server that restarts gets its clients back, each as a new connection', async (t) => {
  const fixture = new ChannelFixture(t);
  const first = await fixture.serve({});
  const { port } = first.server;
  const clients = [fixture.connect({ port }), fixture.connect({ port })];
  await until('all are up', () => clients.every(({ seen }) => seen.connections.length === 1));
  await first.server.close('a new version comes');
  await until('all know', () => clients.every(({ seen }) => seen.downs.length >= 1));
  for (const { seen, client } of clients) {
    assert.equal(seen.downs[0]!.reason.goodbye?.code, 'closing');
    assert.match(seen.downs[0]!.reason.message, /a new version comes/);
    assert.equal(seen.downs[0]!.willRetry, true);
    assert.equal(client.connection, undefined);
    assert.equal(seen.connections[0]!.send(FRAME.STATS, Buffer.alloc(1)), false, 'the old connection takes nothing');
  }
  await fixture.serve({ port });
  await until('all are up again', () => clients.every(({ seen }) => seen.connections.length === 2));
});

test('a connection that breaks without a word is lost on both sides, and made again', async (t) => {
  const fixture = new ChannelFixture(t);
  const { server, seen } = await fixture.serve({});
  const sockets: net.Socket[] = [];
  const relay = await rawServer((socket) => {
    const onward = net.connect({ host: '127.0.0.1', port: server.port });
    onward.on('error', () => {});
    sockets.push(socket, onward);
    socket.pipe(onward).pipe(socket);
  });
  t.after(() => {
    relay.close();
    for (const socket of sockets) socket.destroy();
  });
  const client = fixture.connect({ port: relay.port });
  await until('up', () => client.seen.connections.length === 1);
  for (const socket of sockets) socket.resetAndDestroy();
  await until('up again', () => client.seen.connections.length === 2 && seen.closed.length === 1);
  assert.equal(client.seen.downs[0]!.reason.code, 'ERR_CHANNEL_LOST');
  assert.equal(seen.closed[0]!.code, 'ERR_CHANNEL_LOST');
});

test('a peer that stops answering is found by its silence, on either side', async (t) => {
  const fixture = new ChannelFixture(t);
  const livenessIntervalMs = 50;
  const { server, seen } = await fixture.serve({ livenessIntervalMs });
  const mute = rawClient(server.port);
  mute.socket.write(HELLO_FRAME);
  await until('the server gave it up', () => seen.closed.length === 1);
  assert.equal(seen.closed[0]!.code, 'ERR_CHANNEL_LOST');
  assert.match(seen.closed[0]!.message, /has sent nothing for 0\.15 s/);
  const muteServer = await rawServer((socket) => socket.once('data', () => socket.write(WELCOME_FRAME)));
  t.after(() => muteServer.close());
  const client = fixture.connect({ port: muteServer.port, livenessIntervalMs });
  await until('the client gave it up', () => client.seen.downs.length === 1);
  assert.match(client.seen.downs[0]!.reason.message, /has sent nothing for 0\.15 s/);
});

test('two sides that have nothing to say stay connected', async (t) => {
  const fixture = new ChannelFixture(t);
  const { server, seen } = await fixture.serve({ livenessIntervalMs: 20 });
  const client = fixture.connect({ port: server.port, livenessIntervalMs: 20 });
  await until('PINGs went to and fro', () => (client.client.connection?.statistics.framesReceived ?? 0) >= 20);
  assert.equal(seen.closed.length, 0);
  assert.equal(client.seen.connections.length, 1);
});

test('a peer that does not read costs a bounded queue: frames are dropped whole and counted, and room is announced', async (t) => {
  const fixture = new ChannelFixture(t);
  const queueBytesMax = 512 * 1024;
  const { server, seen } = await fixture.serve({});
  const client = fixture.connect({ port: server.port, queueBytesMax });
  await until('up', () => client.seen.connections.length === 1 && seen.connections.length === 1);
  const connection = client.client.connection!;
  seen.connections[0]!.pause();
  const payload = Buffer.alloc(60_000);
  let taken = 0;
  let refused = 0;
  // Kernel buffers take some megabytes first.
  for (let round = 0; round < 200 && refused < 20; round += 1) {
    for (let index = 0; index < 20; index += 1) {
      payload.writeUInt32BE(taken);
      if (connection.send(FRAME.PACKETS, payload)) taken += 1;
      else refused += 1;
      assert.ok(connection.queuedBytes <= queueBytesMax);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(refused > 0);
  assert.equal(connection.framesDropped, refused);
  assert.equal(connection.statistics.bytesDropped, refused * (payload.length + 8));
  seen.connections[0]!.resume();
  await until('what was taken arrives', () => seen.frames.length === taken);
  assert.ok(seen.frames.every((frame, index) => frame.payload.readUInt32BE(0) === index));
  assert.ok(client.seen.drains >= 1);
  assert.ok(connection.send(FRAME.PACKETS, payload));
});

test('a frame beyond the limit ends that connection with GOAWAY', async (t) => {
  const fixture = new ChannelFixture(t);
  const { server, seen } = await fixture.serve({});
  const { socket, received, closed } = rawClient(server.port);
  socket.write(HELLO_FRAME);
  await until('WELCOME', () => received().length > 8);
  const welcomeBytes = received().length;
  const header = Buffer.from(encodeFrame(FRAME.PACKETS, Buffer.alloc(0)));
  header.writeUInt32BE(FRAME_PAYLOAD_BYTES_MAX + 1);
  socket.write(header);
  await closed;
  const farewell = received().subarray(welcomeBytes);
  assert.equal(farewell[4], FRAME.GOAWAY);
  assert.equal(parseGoodbye(farewell, 8).code, 'protocol');
  await until('the server closed it', () => seen.closed.length === 1);
  assert.equal(seen.closed[0]!.code, 'ERR_CHANNEL_PROTOCOL');
});

test('one connection more than connectionsMax is refused, tries again, and is let in when there is room', async (t) => {
  const fixture = new ChannelFixture(t);
  const { server, seen } = await fixture.serve({ connectionsMax: 1 });
  const first = fixture.connect({ port: server.port });
  await until('the first is up', () => first.seen.connections.length === 1);
  const second = fixture.connect({ port: server.port });
  await until('the second is refused', () => second.seen.downs.length > 0 && seen.refusals.length > 0);
  assert.equal(second.seen.downs[0]!.reason.refusal, 'tooManyConnections');
  assert.equal(second.seen.downs[0]!.willRetry, true);
  assert.equal(server.connections.size, 1);
  first.client.close();
  await until('the second is up', () => second.seen.connections.length === 1);
});

test('strangers that hold sockets open are bounded: the one that waited longest makes room', async (t) => {
  const fixture = new ChannelFixture(t);
  const { server, seen } = await fixture.serve({});
  const strangers = Array.from({ length: HANDSHAKES_MAX }, () => rawClient(server.port));
  t.after(() => {
    for (const { socket } of strangers) socket.destroy();
  });
  await until('all wait', () => server.handshakes === HANDSHAKES_MAX);
  const client = fixture.connect({ port: server.port });
  await until('the client is up', () => client.seen.connections.length === 1);
  assert.equal(seen.refusals[0]!.refusal, 'tooManyConnections');
  assert.equal(server.handshakes, HANDSHAKES_MAX - 1);
});

test('a client that is redirected goes to the other server, and back when that one is gone', async (t) => {
  const fixture = new ChannelFixture(t);
  const leader = await fixture.serve({});
  const follower = await fixture.serve({});
  const client = fixture.connect({ port: follower.server.port });
  await until('up at the follower', () => follower.seen.connections.length === 1);
  follower.server.redirect(follower.seen.connections[0]!, '127.0.0.1', leader.server.port);
  await until('up at the leader', () => leader.seen.connections.length === 1);
  assert.equal(client.seen.downs[0]!.reason.goodbye?.code, 'redirect');
  await leader.server.close();
  await until('up at the follower again', () => follower.seen.connections.length === 2);
});

test('a port in use is refused with ERR_CHANNEL_LISTEN', async (t) => {
  const fixture = new ChannelFixture(t);
  const { server } = await fixture.serve({});
  await assert.rejects(fixture.serve({ port: server.port }), {
    code: 'ERR_CHANNEL_LISTEN',
    message: /cannot listen on 127\.0\.0\.1:\d+: another program listens there.*EADDRINUSE/,
  });
});

test('a client that was closed calls back no more', async (t) => {
  const fixture = new ChannelFixture(t);
  const { server, seen } = await fixture.serve({});
  const client = fixture.connect({ port: server.port });
  await until('up', () => seen.connections.length === 1 && client.seen.connections.length === 1);
  client.client.close('enough');
  await until('the server knows', () => seen.closed.length === 1);
  assert.equal(seen.closed[0]!.goodbye?.code, 'closing');
  assert.match(seen.closed[0]!.message, /enough/);
  assert.equal(client.seen.downs.length, 0);
});
