import { readU16, writeU16, writeU32 } from '../wire/bytes.js';
import type { PacketHeader } from '../wire/packet-header.js';
import { SYN } from '../wire/tcp.js';
import type { TcpOptions } from '../wire/tcp-options.js';
import {
  DATAGRAMS_FAILED,
  DATAGRAMS_INJECTED,
  DATAGRAMS_REFUSED,
  DATAGRAMS_UNREACHABLE,
  KEPT_BYTES_MAX,
  RESPONSE_ACK,
  RESPONSE_ELAPSED,
  RESPONSE_ELAPSED_UNIT_US,
  RESPONSE_EVENT,
  RESPONSE_EVENT_DATAGRAMS,
  RESPONSE_EVENT_SEGMENT,
  RESPONSE_FLAGS,
  RESPONSE_HAS_SACK_PERMITTED,
  RESPONSE_HAS_TIMESTAMPS,
  RESPONSE_HAS_WINDOW_SCALE,
  RESPONSE_KEPT,
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
} from './response-record.js';

/** What u24 holds; as much or more is not told. */
const ELAPSED_MAX = 0xff_ff_ff;

/**
 * Writes the record of one segment at `offset`: RESPONSE_RECORD_BYTES octets. `elapsedUs` is the time since the last new octets of the
 * client were injected; below 0: not known.
 */
export function writeSegmentRecord(
  bytes: Uint8Array,
  offset: number,
  sessionId: number,
  header: PacketHeader,
  options: TcpOptions,
  elapsedUs = -1,
): void {
  writeU32(bytes, offset + RESPONSE_SESSION_ID, sessionId);
  writeU32(bytes, offset + RESPONSE_SEQ, header.seq);
  writeU32(bytes, offset + RESPONSE_ACK, header.ack);
  bytes[offset + RESPONSE_FLAGS] = header.flags;
  bytes[offset + RESPONSE_OPTIONS] =
    (options.hasTimestamps ? RESPONSE_HAS_TIMESTAMPS : 0) |
    (options.windowScale >= 0 ? RESPONSE_HAS_WINDOW_SCALE : 0) |
    (options.sackPermitted ? RESPONSE_HAS_SACK_PERMITTED : 0);
  writeU16(bytes, offset + RESPONSE_WINDOW, header.window);
  writeU32(bytes, offset + RESPONSE_PAYLOAD_BYTES, header.payloadBytes);
  writeU32(bytes, offset + RESPONSE_TS_VAL, options.tsVal);
  writeU32(bytes, offset + RESPONSE_TS_ECR, options.tsEcr);
  if (header.flags & SYN) {
    writeU16(bytes, offset + RESPONSE_MSS, options.mss);
    bytes[offset + RESPONSE_WINDOW_SCALE] = Math.max(options.windowScale, 0);
  } else {
    writeElapsed(bytes, offset, elapsedUs);
  }
  bytes[offset + RESPONSE_EVENT] = RESPONSE_EVENT_SEGMENT;
}

/** Notes the time that an answer took in the record of a segment without SYN; below 0: not known. */
export function writeElapsed(bytes: Uint8Array, offset: number, elapsedUs: number): void {
  const elapsed = elapsedUs < 0 ? 0 : Math.max(1, Math.round(elapsedUs / RESPONSE_ELAPSED_UNIT_US));
  const told = elapsed < ELAPSED_MAX ? elapsed : 0;
  writeU16(bytes, offset + RESPONSE_ELAPSED, told >> 8);
  bytes[offset + RESPONSE_ELAPSED + 2] = told & 0xff;
}

/** The time that writeSegmentRecord noted in a segment without SYN, microseconds; -1: not known. */
export function elapsedUsOf(bytes: Uint8Array, offset: number): number {
  const elapsed = (readU16(bytes, offset + RESPONSE_ELAPSED) << 8) | bytes[offset + RESPONSE_ELAPSED + 2]!;
  return elapsed === 0 ? -1 : elapsed * RESPONSE_ELAPSED_UNIT_US;
}

/** Writes word from intercept about a session's flow: RESPONSE_EVENT_*. */
export function writeEventRecord(bytes: Uint8Array, offset: number, sessionId: number, event: number): void {
  bytes.fill(0, offset, offset + RESPONSE_RECORD_BYTES);
  writeU32(bytes, offset + RESPONSE_SESSION_ID, sessionId);
  bytes[offset + RESPONSE_EVENT] = event;
}

/** Writes what became of datagrams since the last such record. */
export function writeDatagramsRecord(
  bytes: Uint8Array,
  offset: number,
  injected: number,
  refused: number,
  failed: number,
  unreachable = 0,
): void {
  writeEventRecord(bytes, offset, 0, RESPONSE_EVENT_DATAGRAMS);
  writeU32(bytes, offset + DATAGRAMS_INJECTED, injected);
  writeU32(bytes, offset + DATAGRAMS_REFUSED, refused);
  writeU32(bytes, offset + DATAGRAMS_FAILED, failed);
  writeU32(bytes, offset + DATAGRAMS_UNREACHABLE, unreachable);
}

/**
 * Puts the first octets of a segment's payload behind its record, `keptBytesMax` and what is `present` of it at most. Returns the end
 * of the record, a multiple of 4 behind `offset`: RESPONSE_KEPT + keptBytesMax + 3 octets on at most.
 */
export function writeKept(
  out: Uint8Array,
  offset: number,
  bytes: Uint8Array,
  payloadOffset: number,
  present: number,
  keptBytesMax: number,
): number {
  const keptBytes = Math.min(present, keptBytesMax, KEPT_BYTES_MAX);
  writeU16(out, offset + RESPONSE_RECORD_BYTES, keptBytes);
  writeU16(out, offset + RESPONSE_RECORD_BYTES + 2, 0);
  const start = offset + RESPONSE_KEPT;
  if (keptBytes > 0) out.set(bytes.subarray(payloadOffset, payloadOffset + keptBytes), start);
  const end = start + ((keptBytes + 3) & ~3);
  out.fill(0, start + keptBytes, end);
  return end;
}
