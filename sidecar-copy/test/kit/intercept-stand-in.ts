/**
 * A program in place of intercept and target together: speaks the channel's server side, and answers copied packets as a
 * simple TCP server would, so that a copy can be tried and measured alone.
 *
 *     node intercept-stand-in.js [--tls STATE-DIRECTORY] [--record FILE] [--response OCTETS] [--window OCTETS]
 *
 * Prints `ready` (with --tls: `ready TOKEN`). SIGTERM ends it; with --record it writes the streams that arrived: JSON, client
 * endpoint → hex.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  ACK,
  FIN,
  FRAME,
  formatIpAddress,
  HEADERS_PREFIX_BYTES,
  IPV4_HEADER_BYTES,
  PacketHeader,
  PSH,
  parsePacket,
  RECORD_RELEASE,
  RESPONSE_ACK,
  RESPONSE_FLAGS,
  RESPONSE_MSS,
  RESPONSE_PAYLOAD_BYTES,
  RESPONSE_RECORD_BYTES,
  RESPONSE_SEQ,
  RESPONSE_SESSION_ID,
  RESPONSE_WINDOW,
  RST,
  readU16,
  readU32,
  Seq,
  SYN,
  writeHeadersPrefix,
  writeU16,
  writeU32,
} from '@trafficcopy/core';
import { Authority, type ChannelConnection, ChannelServer } from '@trafficcopy/runtime';

interface Flow {
  rcvNxt: Seq.Seq;
  sndNxt: Seq.Seq;
  readonly client: string;
  readonly chunks: Buffer[];
}

const { values } = parseArgs({
  options: {
    tls: { type: 'string' },
    record: { type: 'string' },
    response: { type: 'string', default: '250' },
    window: { type: 'string', default: '65535' },
  },
});
const responseBytes = Number(values.response);
const windowBytes = Number(values.window);
const flows = new Map<number, Flow>();
const streams = new Map<string, Buffer[][]>();
const header = new PacketHeader();
const out = new Uint8Array(1 << 20);
let count = 0;

function respond(sessionId: number, flow: Flow, flags: number, payloadBytes: number): void {
  const at = HEADERS_PREFIX_BYTES + count * RESPONSE_RECORD_BYTES;
  out.fill(0, at, at + RESPONSE_RECORD_BYTES);
  writeU32(out, at + RESPONSE_SESSION_ID, sessionId);
  writeU32(out, at + RESPONSE_SEQ, flow.sndNxt >>> 0);
  writeU32(out, at + RESPONSE_ACK, flow.rcvNxt >>> 0);
  out[at + RESPONSE_FLAGS] = flags;
  writeU16(out, at + RESPONSE_WINDOW, windowBytes);
  writeU32(out, at + RESPONSE_PAYLOAD_BYTES, payloadBytes);
  if (flags & SYN) writeU16(out, at + RESPONSE_MSS, 1460);
  const length = payloadBytes + (flags & (SYN | FIN) ? 1 : 0);
  flow.sndNxt = Seq.add(flow.sndNxt, length);
  count += 1;
}

function clientOf(bytes: Uint8Array): string {
  return `${formatIpAddress(bytes, header.addressOffset, header.addressBytes)} ${header.sourcePort}`;
}

function receive(sessionId: number, bytes: Uint8Array, at: number, packetBytes: number): void {
  if (packetBytes < IPV4_HEADER_BYTES || parsePacket(bytes, at, packetBytes, packetBytes, header) !== 'ok') return;
  if (header.flags & SYN) {
    const flow: Flow = { rcvNxt: Seq.add(header.seq, 1), sndNxt: Seq.seq(1000), client: clientOf(bytes), chunks: [] };
    flows.set(sessionId, flow);
    streams.set(flow.client, [...(streams.get(flow.client) ?? []), flow.chunks]);
    respond(sessionId, flow, SYN | ACK, 0);
    return;
  }
  const flow = flows.get(sessionId);
  if (flow === undefined) return;
  if (header.flags & RST) {
    flows.delete(sessionId);
    return;
  }
  if (header.seq !== flow.rcvNxt) {
    if (header.payloadBytes > 0) respond(sessionId, flow, ACK, 0);
    return;
  }
  if (header.payloadBytes > 0) {
    if (values.record !== undefined) {
      flow.chunks.push(Buffer.from(bytes.slice(header.payloadOffset, header.payloadOffset + header.payloadBytes)));
    }
    flow.rcvNxt = Seq.add(flow.rcvNxt, header.payloadBytes);
    respond(sessionId, flow, PSH | ACK, responseBytes);
  }
  if (header.flags & FIN) {
    flow.rcvNxt = Seq.add(flow.rcvNxt, 1);
    respond(sessionId, flow, FIN | ACK, 0);
  }
}

function packets(connection: ChannelConnection, bytes: Uint8Array, offset: number, length: number): void {
  count = 0;
  for (let at = offset; at < offset + length; ) {
    const packetBytes = readU16(bytes, at + 4);
    if (bytes[at + 6] !== RECORD_RELEASE) receive(readU32(bytes, at), bytes, at + 8, packetBytes);
    at += 8 + ((packetBytes + 3) & ~3);
  }
  if (count === 0) return;
  writeHeadersPrefix(out, 0, RESPONSE_RECORD_BYTES, count);
  connection.send(FRAME.HEADERS, out.subarray(0, HEADERS_PREFIX_BYTES + count * RESPONSE_RECORD_BYTES));
}

const authority =
  values.tls === undefined
    ? undefined
    : await Authority.open({ directory: values.tls, role: 'intercept', name: 'stand-in' });
const server = new ChannelServer({
  port: 36524,
  credentials: authority === undefined ? 'insecure' : await authority.serverCredentials(),
  authority,
  hello: { role: 'intercept', name: 'stand-in', delivery: 'tunnel', capabilities: [], targets: [] },
  onConnection: () => {},
  onFrame: (connection, type, bytes, offset, length) => {
    if (type === FRAME.PACKETS) packets(connection, bytes, offset, length);
  },
  onClose: () => {},
});
await server.listen();
process.on('SIGTERM', () => {
  if (values.record !== undefined) {
    const all = [...streams].map(([client, parts]) => [
      client,
      parts.map((part) => Buffer.concat(part).toString('hex')),
    ]);
    writeFileSync(values.record, JSON.stringify(Object.fromEntries(all)));
  }
  process.exit(0);
});
console.log(authority === undefined ? 'ready' : `ready ${await authority.issueToken()}`);
