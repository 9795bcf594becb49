/**
 * Stands in for a C intercept that reads an NFQUEUE, where none is given by INTERCEPT_BIN. Written from the description of its protocol
 * (docs/channel.md, «Of the C programs») with octets of its own, not from our codec:
 *   VERSION
 * It reads queue 0, to which a rule of the user sends the target's responses, and drops what comes. A
 * tunnel that begins with anything but a hello ends the program.
 */
import { createServer, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { ResponseQueue } from '@trafficcopy/native';

const { positionals } = parseArgs({ allowPositionals: true });
const [version] = positionals;
const [helloType, recordBytes, countMax] = version === '0.9' ? [4, 80, 20] : [6, 64, 16];
const PARKED_MS = 30_000;
const HELLO = Buffer.from([0, 0, 0, 0, 0, 0, 0, helloType!, 0, 0, 0, 0, 0, 0]);

/** Client address and port, target address and port. */
const routes = new Map<string, Socket>();
const parked = new Map<string, { readonly record: Buffer; readonly untilMs: number }>();
let registrations = 0;

function send(tunnel: Socket, records: readonly Buffer[]): void {
  for (let at = 0; at < records.length; at += countMax!) {
    const part = records.slice(at, at + countMax!);
    tunnel.write(Buffer.concat([Buffer.from([0, part.length]), ...part]));
  }
}

function register(tunnel: Socket, message: Buffer): void {
  const type = message.readUInt16BE(6);
  if (type !== 1) fail(`a message of type ${type}: ${message.toString('hex')}`);
  const key = [0, 8].map((at) => message.toString('hex', at, at + 6)).join(' ');
  registrations += 1;
  routes.set(key, tunnel);
  const waiting = parked.get(key);
  parked.delete(key);
  if (waiting !== undefined && waiting.untilMs > Date.now()) send(tunnel, [waiting.record]);
}

function accept(tunnel: Socket): void {
  let held = Buffer.alloc(0);
  let isKnown = false;
  tunnel.setNoDelay(true);
  tunnel.on('error', () => {});
  tunnel.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    for (; held.length >= 14; held = held.subarray(14)) {
      const message = held.subarray(0, 14);
      if (isKnown) register(tunnel, message);
      else if (!message.equals(HELLO)) fail(`no hello: ${message.toString('hex')}`);
      isKnown = true;
    }
  });
}

function fail(why: string): never {
  process.stderr.write(`intercept stand-in: ${why}\n`);
  process.exit(1);
}

/** The record of a packet: IP header, TCP header with options, zeros. */
function recordOf(packet: Buffer): Buffer {
  const ipHeaderBytes = (packet[0]! & 15) << 2;
  const tcpHeaderBytes = (packet[ipHeaderBytes + 12]! >> 4) << 2;
  const record = Buffer.alloc(recordBytes!);
  packet.copy(record, 0, 0, 20);
  packet.copy(record, 20, ipHeaderBytes, ipHeaderBytes + tcpHeaderBytes);
  return record;
}

const queue = new ResponseQueue({ queueNumber: 0 });
queue.start(() => {
  const waiting = new Map<Socket, Buffer[]>();
  while (queue.read()) {
    for (let index = 0; index < queue.count; index += 1) {
      const [offset = 0, bytes = 0] = queue.entries.subarray(index * 4, index * 4 + 2);
      const record = recordOf(Buffer.from(queue.bytes.slice(offset, offset + bytes)));
      // Of a response: source is the target.
      const ends = [16, 12].map(
        (at, end) => record.toString('hex', at, at + 4) + record.toString('hex', 22 - 2 * end, 24 - 2 * end),
      );
      const tunnel = routes.get(ends.join(' '));
      if (tunnel === undefined) parked.set(ends.join(' '), { record, untilMs: Date.now() + PARKED_MS });
      else waiting.set(tunnel, [...(waiting.get(tunnel) ?? []), record]);
    }
  }
  for (const [tunnel, records] of waiting) send(tunnel, records);
});
createServer(accept).listen(36_524, () => process.stdout.write('serving\n'));
process.on('SIGTERM', () => {
  process.stdout.write(`registrations ${registrations}\n`, () => process.exit(0));
});
