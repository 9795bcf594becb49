/**
 * The frame of the 36524 protocol: 8 octets of header (payload octets u32, type u8, flags u8, reserved u16, big-endian)
 * and the payload. docs/channel.md has every frame; the golden test keeps both alike.
 */
import { readU32, writeU32 } from '../wire/bytes.js';

/** The TCP port of the control channel, tcpcopy's. */
export const CHANNEL_PORT = 36524;

export const FRAME_HEADER_BYTES = 8;
/** Where the fields are in the header. */
export const FRAME_LENGTH = 0;
export const FRAME_TYPE = 4;
export const FRAME_FLAGS = 5;
export const FRAME_RESERVED = 6;

/** The largest payload on an established connection, octets. A larger one is a protocol error. */
export const FRAME_PAYLOAD_BYTES_MAX = 1024 * 1024;
/** The largest payload before the peer is known, octets: a stranger cannot make us hold more. */
export const FRAME_HANDSHAKE_BYTES_MAX = 16 * 1024;

/**
 * Frame types. 0 is never used: the hello of the C tcpcopy begins with six octets of 0, and so do all its versions.
 * A receiver skips types that it does not know.
 */
export const FRAME = {
  /** connecting side --> serving side, first frame of a connection: {@link Hello}. */
  HELLO: 1,
  /** serving side --> connecting side: {@link Hello} of the server; the connection is up. */
  WELCOME: 2,
  /** either side, before WELCOME: {@link Refusal}; then the connection is closed. */
  REFUSED: 3,
  /** newcomer --> authority, first frame in place of HELLO: {@link JoinRequest}. */
  JOIN: 4,
  /** authority --> newcomer: {@link CertificateGrant}; then the connection is closed. */
  JOINED: 5,
  /** connecting side --> authority: {@link RenewRequest}. */
  RENEW: 6,
  /** authority --> connecting side: {@link CertificateGrant}. */
  RENEWED: 7,
  /** either side: any payload up to 64 octets; answered by PONG with the same payload. */
  PING: 8,
  PONG: 9,
  /** either side: {@link Goodbye}; then the connection is closed. */
  GOAWAY: 10,
  /** copy --> intercept, Tunnel: replay records (core/src/batch/replay-batch.ts). */
  PACKETS: 16,
  /** copy --> intercept, Direct: the same records with the flow's SYN; never injected. */
  REGISTER: 17,
  /** copy --> intercept: the same records, kind RELEASE, no packets. */
  RELEASE: 18,
  /** intercept --> copy: response records (core/src/batch/response-record.ts). */
  HEADERS: 19,
  /** operator --> copy, intercept: JSON. */
  CONFIG: 32,
  /** copy, intercept --> operator: JSON. */
  STATS: 33,
  /** operator --> copy, intercept: JSON; end the work in order. */
  STOP: 34,
} as const;
export type FrameType = (typeof FRAME)[keyof typeof FRAME];

const FRAME_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(FRAME).map(([name, type]) => [type, name]));

/** `HELLO`, or `type 77` for one that is not known. */
export function frameName(type: number): string {
  return FRAME_NAMES.get(type) ?? `type ${type}`;
}

const IS_KNOWN = new Uint8Array(256);
for (const type of Object.values(FRAME)) IS_KNOWN[type] = 1;

/** False for types of a newer minor version: the frame is skipped. */
export function isFrameType(type: number): type is FrameType {
  return IS_KNOWN[type] === 1;
}

/** Writes a header at `offset`; flags and reserved are 0, as in every frame of version 1. */
export function writeFrameHeader(bytes: Uint8Array, offset: number, type: FrameType, payloadBytes: number): void {
  writeU32(bytes, offset + FRAME_LENGTH, payloadBytes);
  bytes[offset + FRAME_TYPE] = type;
  bytes[offset + FRAME_FLAGS] = 0;
  bytes[offset + FRAME_RESERVED] = 0;
  bytes[offset + FRAME_RESERVED + 1] = 0;
}

/** A whole frame in bytes of its own. For rare frames; the hot path writes the header in place. */
export function encodeFrame(type: FrameType, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  writeFrameHeader(bytes, 0, type, payload.length);
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

/** Payload octets that the header at `offset` announces. */
export function framePayloadBytes(bytes: Uint8Array, offset: number): number {
  return readU32(bytes, offset + FRAME_LENGTH);
}
