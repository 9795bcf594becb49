/** One frame of every type, as docs/channel.md shows them. */
import {
  CHANNEL_VERSION,
  encodeCertificateGrant,
  encodeFrame,
  encodeGoodbye,
  encodeHello,
  encodeJoinRequest,
  encodeJson,
  encodeRefusal,
  encodeRenewRequest,
  encodeUtf8,
  FRAME,
  HEADERS_PREFIX_BYTES,
  RECORD_OPEN,
  RECORD_PACKET,
  RECORD_RELEASE,
  RESPONSE_ACK,
  RESPONSE_EVENT,
  RESPONSE_EVENT_FLOW_TAKEN,
  RESPONSE_EVENT_SEGMENT,
  RESPONSE_FLAGS,
  RESPONSE_HAS_TIMESTAMPS,
  RESPONSE_HAS_WINDOW_SCALE,
  RESPONSE_MSS,
  RESPONSE_OPTIONS,
  RESPONSE_PAYLOAD_BYTES,
  RESPONSE_RECORD_BYTES,
  RESPONSE_SEQ,
  RESPONSE_SESSION_ID,
  RESPONSE_TS_ECR,
  RESPONSE_TS_VAL,
  RESPONSE_WINDOW,
  RESPONSE_WINDOW_SCALE,
  ReplayBatch,
  writeHeadersPrefix,
  writeU16,
  writeU32,
} from '../../src/index.js';

const PEM = (label: string): string => `-----BEGIN ${label}-----\nMIIB\n-----END ${label}-----\n`;
/** An IPv4 packet with a TCP header, 10.0.0.1:40000 to 10.0.0.2:80, checksums 0. */
const PACKET = Uint8Array.from(
  Buffer.from(
    '4500002a00014000400600000a0000010a000002' + '9c4000500000000100000000' + '5018ffff00000000' + '6869',
    'hex',
  ),
);

function records(...items: readonly (readonly [sessionId: number, kind: number, packet: Uint8Array])[]): Uint8Array {
  const batch = new ReplayBatch(1024, 16);
  for (const [sessionId, kind, packet] of items) {
    batch.bytes.set(packet, batch.append(sessionId, kind, packet.length));
  }
  return batch.bytes.slice(batch.headroomBytes, batch.length);
}

function headers(): Uint8Array {
  const bytes = new Uint8Array(HEADERS_PREFIX_BYTES + 2 * RESPONSE_RECORD_BYTES);
  writeHeadersPrefix(bytes, 0, RESPONSE_RECORD_BYTES, 2);
  const segment = HEADERS_PREFIX_BYTES;
  writeU32(bytes, segment + RESPONSE_SESSION_ID, 7);
  writeU32(bytes, segment + RESPONSE_SEQ, 0x11223344);
  writeU32(bytes, segment + RESPONSE_ACK, 0x55667788);
  bytes[segment + RESPONSE_FLAGS] = 0x12;
  bytes[segment + RESPONSE_OPTIONS] = RESPONSE_HAS_TIMESTAMPS | RESPONSE_HAS_WINDOW_SCALE;
  writeU16(bytes, segment + RESPONSE_WINDOW, 65160);
  writeU32(bytes, segment + RESPONSE_PAYLOAD_BYTES, 0);
  writeU32(bytes, segment + RESPONSE_TS_VAL, 0x01020304);
  writeU32(bytes, segment + RESPONSE_TS_ECR, 0x05060708);
  writeU16(bytes, segment + RESPONSE_MSS, 1460);
  bytes[segment + RESPONSE_WINDOW_SCALE] = 7;
  bytes[segment + RESPONSE_EVENT] = RESPONSE_EVENT_SEGMENT;
  const event = segment + RESPONSE_RECORD_BYTES;
  writeU32(bytes, event + RESPONSE_SESSION_ID, 8);
  bytes[event + RESPONSE_EVENT] = RESPONSE_EVENT_FLOW_TAKEN;
  return bytes;
}

const COPY = {
  role: 'copy',
  name: 'online-1',
  delivery: 'tunnel',
  capabilities: [],
  version: CHANNEL_VERSION,
} as const;
const INTERCEPT = { ...COPY, role: 'intercept', name: 'target-1' } as const;
const TARGETS = [{ address: '10.0.0.2', port: 80 }];
const REQUEST = { secret: 'c2VjcmV0', certificateRequest: PEM('CERTIFICATE REQUEST') };
const GRANT = { certificate: PEM('CERTIFICATE'), authority: PEM('CERTIFICATE') };

export const GOLDEN_FRAMES: Readonly<Record<keyof typeof FRAME, Uint8Array>> = {
  HELLO: encodeFrame(FRAME.HELLO, encodeHello({ ...COPY, targets: TARGETS })),
  WELCOME: encodeFrame(FRAME.WELCOME, encodeHello({ ...INTERCEPT, targets: TARGETS })),
  REFUSED: encodeFrame(FRAME.REFUSED, encodeRefusal('tokenUsed', 'take a new one')),
  JOIN: encodeFrame(
    FRAME.JOIN,
    encodeJoinRequest({ ...REQUEST, version: CHANNEL_VERSION, role: 'copy', name: 'online-1' }),
  ),
  JOINED: encodeFrame(FRAME.JOINED, encodeCertificateGrant(GRANT)),
  RENEW: encodeFrame(FRAME.RENEW, encodeRenewRequest(REQUEST)),
  RENEWED: encodeFrame(FRAME.RENEWED, encodeCertificateGrant(GRANT)),
  PING: encodeFrame(FRAME.PING, new Uint8Array(0)),
  PONG: encodeFrame(FRAME.PONG, new Uint8Array(0)),
  GOAWAY: encodeFrame(FRAME.GOAWAY, encodeGoodbye({ code: 'closing', message: 'the program ends' })),
  PACKETS: encodeFrame(FRAME.PACKETS, records([7, RECORD_PACKET, PACKET])),
  REGISTER: encodeFrame(FRAME.REGISTER, records([7, RECORD_OPEN, PACKET.subarray(0, 40)])),
  RELEASE: encodeFrame(FRAME.RELEASE, records([7, RECORD_RELEASE, new Uint8Array(0)])),
  HEADERS: encodeFrame(FRAME.HEADERS, headers()),
  CONFIG: encodeFrame(FRAME.CONFIG, encodeJson({})),
  STATS: encodeFrame(FRAME.STATS, encodeUtf8('{"sessions":1}')),
  STOP: encodeFrame(FRAME.STOP, encodeJson({})),
};

/** `00000000  00 00 00 02 08 …  |........|` lines of 16 octets. */
export function hexDump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = Array.from(bytes.subarray(at, at + 16));
    const hex = row.map((octet) => octet.toString(16).padStart(2, '0')).join(' ');
    const text = row.map((octet) => (octet >= 0x20 && octet < 0x7f ? String.fromCharCode(octet) : '.')).join('');
    lines.push(`${at.toString(16).padStart(4, '0')}  ${hex.padEnd(47)}  |${text}|`);
  }
  return lines.join('\n');
}
