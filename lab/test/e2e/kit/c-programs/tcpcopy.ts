/**
 * Stands in for a C tcpcopy where none is given by TCPCOPY_BIN. Written from the description of its protocol (docs/channel.md, «Of the C
 * programs») with octets of its own, not from our codec:
 *   VERSION -x PORT-IP:PORT [-s IP[:PORT]] [-C TUNNELS] [--late-ms N]
 * It captures on eth0. `--late-ms`: a registration follows its SYN so much later. What the target does not acknowledge goes again.
 */
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { PacketRing } from '@trafficcopy/native';
import { RawSegments, SYN } from './raw-segment.js';
import { ReplayedSession } from './replayed-session.js';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    map: { type: 'string', short: 'x', default: '' },
    intercept: { type: 'string', short: 's' },
    tunnels: { type: 'string', short: 'C', default: '2' },
    'late-ms': { type: 'string', default: '0' },
  },
});
const [version] = positionals;
const [helloType, recordBytes, countMax] = version === '0.9' ? [4, 80, 20] : [6, 64, 16];
const [, onlinePortText = '', targetText = '', targetPortText = ''] = /^(\d+)-([\d.]+):(\d+)$/.exec(values.map) ?? [];
const onlinePort = Number(onlinePortText);
const target = Uint8Array.from(targetText.split('.'), Number);
const targetPort = Number(targetPortText);
const [interceptHost = targetText, interceptPort = '36524'] = values.intercept?.split(':') ?? [];
const lateMs = Number(values['late-ms']);

/** Longer than a busy machine takes to answer. */
const RETRANSMIT_MS = 500;
const raw = new RawSegments();
const tunnels: Socket[] = [];
/** By client address and port at the target. */
const sessions = new Map<string, ReplayedSession>();
let registrations = 0;
/** Responses to nobody that was copied here. */
let foreign = 0;
/** Ports of connections that no client made. */
let nextPort = 20_000;

function register(client: Uint8Array, port: number): void {
  const message = Buffer.alloc(14);
  message.set(client, 0);
  message.writeUInt16BE(port, 4);
  message.writeUInt16BE(1, 6);
  message.set(target, 8);
  message.writeUInt16BE(targetPort, 12);
  const tunnel = tunnels[registrations % tunnels.length]!;
  registrations += 1;
  if (lateMs > 0) setTimeout(() => tunnel.write(message), lateMs);
  else tunnel.write(message);
}

function key(client: Uint8Array, port: number): string {
  return `${client.join('.')}:${port}`;
}

function begin(client: Uint8Array, port: number, iss: number): void {
  const session: ReplayedSession = new ReplayedSession(
    {
      register: (at) => register(client, at),
      send: (at, segment) =>
        raw.send({ ...segment, source: client, sourcePort: at, destination: target, destinationPort: targetPort }),
      newPort: () => {
        nextPort += 1;
        sessions.set(key(client, nextPort), session);
        return nextPort;
      },
    },
    port,
    iss,
  );
  sessions.set(key(client, port), session);
}

function captured(packet: Buffer): void {
  const tcp = (packet[0]! & 15) << 2;
  const end = Math.min(packet.length, packet.readUInt16BE(2) || packet.length);
  const client = Uint8Array.from(packet.subarray(12, 16));
  const port = packet.readUInt16BE(tcp);
  const [seq, ack, flags] = [packet.readUInt32BE(tcp + 4), packet.readUInt32BE(tcp + 8), packet[tcp + 13]!];
  if (flags & SYN) {
    begin(client, port, seq);
    return;
  }
  const payload = Uint8Array.from(packet.subarray(tcp + ((packet[tcp + 12]! >> 4) << 2), end));
  sessions.get(key(client, port))?.captured(seq, ack, flags, payload);
}

function responded(record: Buffer): void {
  const ipHeaderBytes = (record[0]! & 15) << 2;
  const tcpHeaderBytes = (record[32]! >> 4) << 2;
  const port = record.readUInt16BE(22);
  const session = sessions.get(key(record.subarray(16, 20), port));
  if (session === undefined) foreign += 1;
  session?.respond({
    port,
    seq: record.readUInt32BE(24),
    ack: record.readUInt32BE(28),
    flags: record[33]!,
    window: record.readUInt16BE(34),
    payloadBytes: record.readUInt16BE(2) - ipHeaderBytes - tcpHeaderBytes,
  });
}

/** Frames of a count and so many records. */
function readFrames(tunnel: Socket): void {
  let held = Buffer.alloc(0);
  tunnel.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 2) {
      const count = held.readUInt16BE(0);
      // As the C program: it takes the tunnel for broken, and ends.
      if (count > countMax!) fail(`a frame of ${count} records`);
      const frameBytes = 2 + count * recordBytes!;
      if (held.length < frameBytes) return;
      for (let index = 0; index < count; index += 1) responded(held.subarray(2 + index * recordBytes!, frameBytes));
      held = held.subarray(frameBytes);
    }
  });
}

function fail(why: string): never {
  process.stderr.write(`tcpcopy stand-in: ${why}\n`);
  process.exit(1);
}

async function openTunnel(): Promise<void> {
  const tunnel = connect({ host: interceptHost, port: Number(interceptPort), noDelay: true });
  const failed = (error: Error): never => fail(String(error));
  await new Promise<void>((resolve) => tunnel.once('connect', resolve).once('error', failed));
  tunnel.off('error', failed).on('error', () => {});
  const hello = Buffer.alloc(14);
  hello.writeUInt16BE(helloType!, 6);
  tunnel.write(hello);
  readFrames(tunnel);
  // Like 1.x it goes on with the others.
  tunnel.on('close', () => {
    tunnels.splice(tunnels.indexOf(tunnel), 1);
    if (tunnels.length === 0) fail('no tunnel is left');
  });
  tunnels.push(tunnel);
}

for (let index = 0; index < Number(values.tunnels); index += 1) await openTunnel();
const ring = new PacketRing({
  interfaceName: 'eth0',
  filter: `tcp dst port ${onlinePort}`,
  blockBytes: 1 << 18,
  blockCount: 256,
  retireMs: 8,
});
ring.start(() => {
  while (ring.next()) {
    for (let index = 0; index < ring.count; index += 1) {
      const [offset = 0, bytes = 0] = ring.entries.subarray(index * 4, index * 4 + 2);
      captured(Buffer.from(ring.bytes.slice(offset, offset + bytes)));
    }
    ring.release();
  }
});
setInterval(() => {
  for (const session of new Set(sessions.values())) session.retransmit();
}, RETRANSMIT_MS);
process.stdout.write('copying\n');
process.on('SIGTERM', () => {
  process.stdout.write(`foreign ${foreign}\n`, () => process.exit(0));
});
