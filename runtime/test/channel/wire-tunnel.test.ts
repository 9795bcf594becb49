/** C tcpcopies at the port of a channel server without TLS, and our end of a tunnel to a C intercept. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { FRAME, RECORD_OPEN, RECORD_RELEASE, ReplayBatch, readU32, WIRE_FORMATS } from '@trafficcopy/core';
import {
  ChannelClient,
  type ChannelConnection,
  type ChannelError,
  ChannelServer,
  type WireTunnel,
  WireTunnelClient,
  WireTunnelServer,
} from '../../src/index.js';

const HELLO_09 = Buffer.from('0000000000000004000000000000', 'hex');
const HELLO_1X = Buffer.from('0000000000000006000000000000', 'hex');
const REGISTRATION = Buffer.from('0a130001847a00010a1300031f90', 'hex');
const DEADLINE_MS = 10_000;

async function until(what: string, isTrue: () => boolean): Promise<void> {
  for (const deadline = Date.now() + DEADLINE_MS; !isTrue(); ) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A channel server that lets C tcpcopies of 0.9 in. */
async function serving(tunnelsMax = 4) {
  const seen = { messages: [] as string[], tunnels: [] as WireTunnel[], closed: 0, refused: [] as string[], own: 0 };
  const tunnels = new WireTunnelServer({
    versions: ['0.9'],
    tunnelsMax,
    queueBytesMax: 256 * 1024,
    onTunnel: (tunnel) => {
      seen.tunnels.push(tunnel);
      return true;
    },
    onMessage: (_tunnel, bytes, at) => {
      seen.messages.push(Buffer.from(bytes.subarray(at, at + 14)).toString('hex'));
    },
    onClose: () => {
      seen.closed += 1;
    },
    onRefusal: (error) => {
      seen.refused.push(error.message);
    },
  });
  const server = new ChannelServer({
    address: '127.0.0.1',
    port: 0,
    credentials: 'insecure',
    hello: { role: 'intercept', name: 'i', delivery: 'tunnel', capabilities: [], targets: [] },
    foreign: tunnels,
    onConnection: () => {
      seen.own += 1;
    },
    onFrame: () => {},
    onClose: () => {},
    onRefusal: (error) => {
      seen.refused.push(error.message);
    },
  });
  await server.listen();
  closers.push(async () => {
    tunnels.close('the test ends');
    await server.close();
  });
  return { seen, server, tunnels };
}

async function peer(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  socket.on('error', () => {});
  closers.push(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

describe('a C tcpcopy at the port', () => {
  it('is known by its hello, octet by octet or with a registration in one segment', async () => {
    const { seen, server, tunnels } = await serving();
    const slow = await peer(server.port);
    for (const octet of HELLO_09) {
      slow.write(Buffer.of(octet));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until('the slow one is in', () => seen.tunnels.length === 1);
    const quick = await peer(server.port);
    quick.write(Buffer.concat([HELLO_09, REGISTRATION, REGISTRATION.subarray(0, 5)]));
    await until('the registration is there', () => seen.messages.length === 1);
    quick.write(REGISTRATION.subarray(5));
    await until('the cut one too', () => seen.messages.length === 2);
    assert.deepEqual(seen.messages, [REGISTRATION.toString('hex'), REGISTRATION.toString('hex')]);
    assert.equal(seen.tunnels[1]?.peer.name, 'tcpcopy 0.9');
    assert.equal(seen.tunnels[1]?.peer.delivery, 'direct');
    assert.equal(tunnels.tunnels.size, 2);
    quick.end();
    await until('its end is noticed', () => seen.closed === 1);
    assert.equal(seen.tunnels[1]?.peerHasLeft, true);
  });

  it('is sent octets as they are', async () => {
    const { seen, server } = await serving();
    const socket = await peer(server.port);
    socket.write(HELLO_09);
    await until('it is in', () => seen.tunnels.length === 1);
    const frame = Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(80, 7)]);
    assert.ok(seen.tunnels[0]!.send(FRAME.HEADERS, frame));
    const [received] = (await once(socket, 'data')) as [Buffer];
    assert.deepEqual(received, frame);
  });

  it('that does not read loses whole writes beyond the limit, and the process holds no more', async () => {
    const { seen, server } = await serving();
    const socket = await peer(server.port);
    socket.write(HELLO_09);
    socket.pause();
    await until('it is in', () => seen.tunnels.length === 1);
    const tunnel = seen.tunnels[0]!;
    const frame = new Uint8Array(60_000);
    let refused = 0;
    for (let turn = 0; turn < 400; turn += 1) {
      if (!tunnel.send(FRAME.HEADERS, frame)) refused += 1;
      assert.ok(tunnel.queuedBytes <= 256 * 1024);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(refused > 0);
    assert.equal(tunnel.framesDropped, refused);
  });

  it('and a copy of ours are served on the same port', async () => {
    const { seen, server } = await serving();
    const client = new ChannelClient({
      host: '127.0.0.1',
      port: server.port,
      credentials: 'insecure',
      hello: { role: 'copy', name: 'c', delivery: 'direct', capabilities: [], targets: [] },
      onUp: () => {},
      onFrame: () => {},
      onDown: () => {},
    });
    closers.push(() => client.close());
    client.start();
    (await peer(server.port)).write(HELLO_09);
    await until('both are in', () => seen.own === 1 && seen.tunnels.length === 1);
  });

  for (const [what, octets, words] of [
    ['of a version that is not asked for', HELLO_1X, /tcpcopy 1\.x.*--wire=1\.x/],
    ['of a version that nobody knows', Buffer.from('0000000000000063000000000000', 'hex'), /version 99/],
    ['whose hello holds a registration', Buffer.from('00000000000000040a1300031f90', 'hex'), /more than a version/],
  ] as const) {
    it(`${what} is refused in words`, async () => {
      const { seen, server, tunnels } = await serving();
      const socket = await peer(server.port);
      socket.write(octets);
      await once(socket, 'close');
      await until('the refusal is told', () => seen.refused.length === 1);
      assert.match(seen.refused[0]!, words);
      assert.equal(tunnels.refusals, 1);
      assert.equal(tunnels.tunnels.size, 0);
    });
  }

  it('beyond the limit of tunnels is refused', async () => {
    const { seen, server } = await serving(1);
    (await peer(server.port)).write(HELLO_09);
    await until('the first is in', () => seen.tunnels.length === 1);
    const second = await peer(server.port);
    second.write(HELLO_09);
    await once(second, 'close');
    assert.match(seen.refused[0]!, /1 tunnels are open, the limit/);
  });

  it('that is not served is told from garbage', async () => {
    const refused: string[] = [];
    const server = new ChannelServer({
      address: '127.0.0.1',
      port: 0,
      credentials: 'insecure',
      hello: { role: 'intercept', name: 'i', delivery: 'tunnel', capabilities: [], targets: [] },
      onConnection: () => {},
      onFrame: () => {},
      onClose: () => {},
      onRefusal: (error) => refused.push(error.message),
    });
    await server.listen();
    closers.push(() => server.close());
    (await peer(server.port)).write(HELLO_1X);
    await until('it is refused', () => refused.length === 1);
    assert.match(refused[0]!, /C tcpcopy.*--wire/);
  });

  it('garbage on a port that serves both is refused in words', async () => {
    const { seen, server } = await serving();
    (await peer(server.port)).write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await until('it is refused', () => seen.refused.length === 1);
    assert.match(seen.refused[0]!, /GET/);
  });
});

/** A C intercept of a few lines: keeps what comes. */
async function cIntercept(onSocket: (socket: Socket) => void = () => {}) {
  const received: Buffer[] = [];
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    socket.on('error', () => {});
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, octets: () => Buffer.concat(received), sockets };
}

function tunnelTo(port: number) {
  const seen = { up: [] as ChannelConnection[], down: [] as ChannelError[], sessions: [] as number[] };
  const client = new WireTunnelClient({
    host: '127.0.0.1',
    port,
    format: WIRE_FORMATS['1.x'],
    queueBytesMax: 65_536,
    sessionsMax: 4,
    seed: 1,
    onUp: (connection) => seen.up.push(connection),
    onHeaders: (bytes, length) => {
      for (let at = 4; at < length; at += 32) seen.sessions.push(readU32(bytes, at));
    },
    onDown: (reason) => seen.down.push(reason),
  });
  closers.push(() => client.close());
  client.start();
  return seen;
}

const SYN = Buffer.from(
  '450000280001400040060000' + '0a1300010a130003' + '847a1f90' + '7445660000000000' + '5002ffff00000000',
  'hex',
);
const SYN_ACK_RECORD = Buffer.concat(
  [
    Buffer.from(
      '4500003c0000400040062693' + '0a1300030a130001' + '1f90847a' + '19423a8d74456601' + 'a012fe882d570000',
      'hex',
    ),
    Buffer.from('020405b40402080a6838bcd75328bd8a0103030a', 'hex'),
  ],
  64,
);

function opening(sessionId: number): ReplayBatch {
  const batch = new ReplayBatch(1024, 4);
  batch.bytes.set(SYN, batch.append(sessionId, RECORD_OPEN, SYN.length));
  return batch;
}

describe('a tunnel to a C intercept', () => {
  it('says hello, registers flows, and takes responses to their sessions', async () => {
    const intercept = await cIntercept();
    const seen = tunnelTo(intercept.port);
    await until('it is up', () => seen.up.length === 1);
    assert.ok(seen.up[0]!.sendBatch(FRAME.REGISTER, opening(7)));
    await until('both are there', () => intercept.octets().length === 28);
    assert.deepEqual(intercept.octets(), Buffer.concat([HELLO_1X, REGISTRATION]));
    intercept.sockets[0]!.write(Buffer.concat([Buffer.from([0, 1]), SYN_ACK_RECORD]));
    await until('the response is there', () => seen.sessions.length === 1);
    assert.deepEqual(seen.sessions, [7]);
    const release = new ReplayBatch(64, 1);
    release.append(7, RECORD_RELEASE, 0);
    assert.ok(seen.up[0]!.sendBatch(FRAME.RELEASE, release));
    intercept.sockets[0]!.write(Buffer.concat([Buffer.from([0, 1]), SYN_ACK_RECORD]));
    assert.ok(seen.up[0]!.sendBatch(FRAME.REGISTER, opening(8)));
    await until('nothing but registrations came', () => intercept.octets().length === 42);
    intercept.sockets[0]!.write(Buffer.concat([Buffer.from([0, 1]), SYN_ACK_RECORD]));
    await until('the next session has its response', () => seen.sessions.includes(8));
    assert.equal(intercept.octets().length, 42, 'no release in this protocol');
  });

  it('that is cut is opened again, hello first', async () => {
    const intercept = await cIntercept();
    const seen = tunnelTo(intercept.port);
    await until('it has said hello', () => intercept.octets().length === 14);
    intercept.sockets[0]!.resetAndDestroy();
    await until('it is up again', () => seen.up.length === 2);
    assert.equal(seen.down.length, 1);
    await until('it said hello twice', () => intercept.octets().length === 28);
    assert.deepEqual(intercept.octets(), Buffer.concat([HELLO_1X, HELLO_1X]));
  });

  it('that brings a count beyond its version is given up in words, and opened again', async () => {
    const intercept = await cIntercept((socket) => socket.write(Buffer.from([0, 17])));
    const seen = tunnelTo(intercept.port);
    await until('it is given up', () => seen.down.length >= 1);
    assert.match(seen.down[0]!.message, /announced 17 response headers.*16 at most/);
    await until('it comes again', () => seen.up.length >= 2);
  });

  it('to a port where nobody listens is tried again', async () => {
    const seen = tunnelTo(1);
    await until('it was tried twice', () => seen.down.length >= 2);
    assert.equal(seen.up.length, 0);
    assert.equal(seen.down[0]!.code, 'ERR_CHANNEL_UNREACHABLE');
  });
});
