/** One frame of every type, as docs/channel.md shows them. */
import {
  CHANNEL_VERSION,
  type CopyReport,
  type CopySettings,
  encodeCertificateGrant,
  encodeCopyReport,
  encodeCopySettings,
  encodeFrame,
  encodeGoodbye,
  encodeHello,
  encodeInterceptReport,
  encodeInterceptSettings,
  encodeJoinRequest,
  encodeRefusal,
  encodeRenewRequest,
  encodeStop,
  FRAME,
  HEADERS_PREFIX_BYTES,
  type InterceptReport,
  type InterceptSettings,
  RECORD_DATAGRAM,
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
  STRIDE_VARIES,
  writeDatagramsRecord,
  writeEventRecord,
  writeHeadersPrefix,
  writeKept,
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
/** An IPv4 datagram, 198.18.0.1:40000 to 10.0.0.2:53, checksums 0. */
const DATAGRAM = Uint8Array.from(
  Buffer.from('4500001e0001400040110000c61200010a000002' + '9c400035000a0000' + '6869', 'hex'),
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

/** Of datagrams 120 were injected, 3 refused; the kernel did not take one; 2 found nobody. */
function datagramHeaders(): Uint8Array {
  const bytes = new Uint8Array(HEADERS_PREFIX_BYTES + RESPONSE_RECORD_BYTES);
  writeHeadersPrefix(bytes, 0, RESPONSE_RECORD_BYTES, 1);
  writeDatagramsRecord(bytes, HEADERS_PREFIX_BYTES, 120, 3, 1, 2);
  return bytes;
}

/** A segment that carries `+OK`, of which all comes along, and an event. */
function headersWithPayload(): Uint8Array {
  const bytes = new Uint8Array(128);
  const segment = HEADERS_PREFIX_BYTES;
  writeHeadersPrefix(bytes, 0, STRIDE_VARIES, 2);
  writeU32(bytes, segment + RESPONSE_SESSION_ID, 7);
  writeU32(bytes, segment + RESPONSE_SEQ, 0x11223345);
  writeU32(bytes, segment + RESPONSE_ACK, 0x55667788);
  bytes[segment + RESPONSE_FLAGS] = 0x18;
  writeU16(bytes, segment + RESPONSE_WINDOW, 502);
  writeU32(bytes, segment + RESPONSE_PAYLOAD_BYTES, 5);
  const event = writeKept(bytes, segment, Uint8Array.from([0x2b, 0x4f, 0x4b, 0x0d, 0x0a]), 0, 5, 512);
  writeEventRecord(bytes, event, 8, RESPONSE_EVENT_FLOW_TAKEN);
  return bytes.slice(0, writeKept(bytes, event, bytes, 0, 0, 512));
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

export const COPY_SETTINGS: CopySettings = {
  kind: 'copy',
  generation: 3,
  state: 'running',
  delivery: 'tunnel',
  capture: 'wire',
  mappings: [
    {
      onlinePort: 8080,
      targets: [
        {
          name: 'candidate',
          endpoints: [{ address: '10.0.0.2', port: 80, interceptHost: '10.0.0.9', interceptPort: 36524 }],
        },
      ],
    },
  ],
  sample: { fraction: 0.5, by: 'connection', seed: 7 },
  copies: 1,
  clientRanges: ['198.18.0.0/15'],
  limits: { sessionsMax: 50_000, heldBytesMax: 268_435_456, bytesPerSecondMax: 0 },
};

export const COPY_REPORT: CopyReport = {
  kind: 'copy',
  generation: 3,
  state: 'copying',
  elapsedMs: 61_000,
  connectionsSeen: 12,
  sessionsOpen: 4,
  sessionsStarted: 11,
  turnsCaptured: 100,
  turnsDelivered: 97,
  turnsAnswered: 96,
  turnsPending: 1,
  turnsLost: { noResponse: 2 },
  terminal: { copied: 7 },
  bytesSent: 40_000,
  captureDrops: 0,
  lagMs: 2,
  cpuUs: 150_000,
  rssBytes: 60_000_000,
  encrypted: { '8443': 5 },
  endpoints: [{ endpoint: '10.0.0.2:80', isUp: true }],
  problems: [],
};

export const INTERCEPT_SETTINGS: InterceptSettings = {
  kind: 'intercept',
  revision: 2,
  pods: [
    {
      uid: '0b6f8f1e-5f0c-4f5e-9d4b-6a1c1b2d3e4f',
      name: 'shop-staging/checkout-1',
      addresses: ['10.0.0.2'],
      grants: [{ owner: 'shop/7d9c2a10-1111-4222-8333-444455556666', ports: [80], clientRanges: [] }],
    },
  ],
};

export const INTERCEPT_REPORT: InterceptReport = {
  kind: 'intercept',
  revision: 2,
  pods: [{ uid: '0b6f8f1e-5f0c-4f5e-9d4b-6a1c1b2d3e4f', state: 'serving', message: '' }],
  flows: 4,
  packetsInjected: 300,
  responses: 280,
  queueDrops: 0,
  recordsRefused: {},
  cpuUs: 90_000,
  rssBytes: 70_000_000,
};

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
  CONFIG: encodeFrame(FRAME.CONFIG, encodeCopySettings(COPY_SETTINGS)),
  STATS: encodeFrame(FRAME.STATS, encodeCopyReport(COPY_REPORT)),
  STOP: encodeFrame(FRAME.STOP, encodeStop({ message: 'the TrafficCopy is gone' })),
};

/** The same frames about datagrams. */
export const GOLDEN_DATAGRAM_FRAMES: Readonly<Record<'PACKETS' | 'HEADERS', Uint8Array>> = {
  PACKETS: encodeFrame(FRAME.PACKETS, records([0, RECORD_DATAGRAM, DATAGRAM])),
  HEADERS: encodeFrame(FRAME.HEADERS, datagramHeaders()),
};

/** What the same frames are between operator and intercept. */
export const GOLDEN_INTERCEPT_FRAMES: Readonly<Record<'CONFIG' | 'STATS', Uint8Array>> = {
  CONFIG: encodeFrame(FRAME.CONFIG, encodeInterceptSettings(INTERCEPT_SETTINGS)),
  STATS: encodeFrame(FRAME.STATS, encodeInterceptReport(INTERCEPT_REPORT)),
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

/** HEADERS for a copy that asked for payload. */
export const GOLDEN_PAYLOAD_FRAME: Uint8Array = encodeFrame(FRAME.HEADERS, headersWithPayload());
