import {
  HEADERS_PREFIX_BYTES,
  type PacketHeader,
  RESPONSE_KEPT,
  RESPONSE_RECORD_BYTES,
  STRIDE_VARIES,
  type TcpOptions,
  writeDatagramsRecord,
  writeEventRecord,
  writeHeadersPrefix,
  writeKept,
  writeSegmentRecord,
} from '@trafficcopy/core';
import type { DatagramTally } from './datagram-tally.js';

/** How responses are laid out for one kind of copy, in a buffer of {@link RecordFormat.bufferBytes}. */
export interface RecordFormat {
  /** One of RECORD_BUFFER_BYTES and PAYLOAD_BUFFER_BYTES. */
  readonly bufferBytes: number;
  /** Octets of each payload that come along. */
  readonly keptBytesMax: number;
  /** Whether a copy can be told of something else than a response. */
  readonly hasEvents: boolean;
  /** Whether `count` records, the last of which ends at `end`, leave no room for another one of any size. */
  isFull(count: number, end: number): boolean;
  /** Where the record behind them goes. */
  offsetOf(count: number, end: number): number;
  /**
   * Writes a response, the packet at `packetAt` of `bytes`, with the time since its flow was last sent something new (below 0: not known).
   * Returns where the record ends.
   */
  writeSegment(
    out: Uint8Array,
    offset: number,
    sessionId: number,
    bytes: Uint8Array,
    packetAt: number,
    header: PacketHeader,
    options: TcpOptions,
    elapsedUs: number,
  ): number;
  /** Writes word about a flow. Only with {@link hasEvents}. Returns where the record ends. */
  writeEvent(out: Uint8Array, offset: number, sessionId: number, event: number): number;
  /** Writes what became of datagrams. Only with {@link hasEvents}. Returns where the record ends. */
  writeTally(out: Uint8Array, offset: number, tally: DatagramTally): number;
  /** Completes a buffer of `count` records. Returns the octets to send, from the start of the buffer. */
  finish(out: Uint8Array, count: number, end: number): number;
}

/** Records of one HEADERS frame without payload: 64 KiB. */
export const RECORDS_MAX = 2047;
export const RECORD_BUFFER_BYTES = HEADERS_PREFIX_BYTES + RECORDS_MAX * RESPONSE_RECORD_BYTES;
/** A HEADERS frame with payload: four whole super-packets, or many small ones. */
export const PAYLOAD_BUFFER_BYTES = 256 * 1024;

/** The payload of a HEADERS frame: copies of ours. */
export const CHANNEL_RECORDS: RecordFormat = {
  bufferBytes: RECORD_BUFFER_BYTES,
  keptBytesMax: 0,
  hasEvents: true,
  isFull: (count) => count === RECORDS_MAX,
  offsetOf: (count) => HEADERS_PREFIX_BYTES + count * RESPONSE_RECORD_BYTES,
  writeSegment: (out, offset, sessionId, _bytes, _packetAt, header, options, elapsedUs) => {
    writeSegmentRecord(out, offset, sessionId, header, options, elapsedUs);
    return offset + RESPONSE_RECORD_BYTES;
  },
  writeEvent: (out, offset, sessionId, event) => {
    writeEventRecord(out, offset, sessionId, event);
    return offset + RESPONSE_RECORD_BYTES;
  },
  writeTally: (out, offset, { injected, refused, failed, unreachable }) => {
    writeDatagramsRecord(out, offset, injected, refused, failed, unreachable);
    return offset + RESPONSE_RECORD_BYTES;
  },
  finish: (out, count, end) => {
    writeHeadersPrefix(out, 0, RESPONSE_RECORD_BYTES, count);
    return end;
  },
};

/** The same for a copy that wants the first `keptBytesMax` octets of each payload. */
export function payloadRecords(keptBytesMax: number): RecordFormat {
  const recordBytesMax = RESPONSE_KEPT + keptBytesMax + 3;
  return {
    bufferBytes: PAYLOAD_BUFFER_BYTES,
    keptBytesMax,
    hasEvents: true,
    isFull: (_count, end) => end + recordBytesMax > PAYLOAD_BUFFER_BYTES,
    offsetOf: (count, end) => (count === 0 ? HEADERS_PREFIX_BYTES : end),
    writeSegment: (out, offset, sessionId, bytes, _packetAt, header, options, elapsedUs) => {
      writeSegmentRecord(out, offset, sessionId, header, options, elapsedUs);
      return writeKept(out, offset, bytes, header.payloadOffset, header.payloadBytesPresent, keptBytesMax);
    },
    writeEvent: (out, offset, sessionId, event) => {
      writeEventRecord(out, offset, sessionId, event);
      return writeKept(out, offset, out, offset, 0, 0);
    },
    writeTally: (out, offset, { injected, refused, failed, unreachable }) => {
      writeDatagramsRecord(out, offset, injected, refused, failed, unreachable);
      return writeKept(out, offset, out, offset, 0, 0);
    },
    finish: (out, count, end) => {
      writeHeadersPrefix(out, 0, STRIDE_VARIES, count);
      return end;
    },
  };
}
