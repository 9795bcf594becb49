import {
  HEADERS_PREFIX_BYTES,
  type PacketHeader,
  RESPONSE_RECORD_BYTES,
  type TcpOptions,
  writeEventRecord,
  writeHeadersPrefix,
  writeSegmentRecord,
} from '@trafficcopy/core';

/** How responses are laid out for one kind of copy, in a buffer of RECORD_BUFFER_BYTES. */
export interface RecordFormat {
  /** Records of one buffer. */
  readonly recordsMax: number;
  /** Whether a copy can be told of something else than a response. */
  readonly hasEvents: boolean;
  /** Where the record number `index` goes. */
  offsetOf(index: number): number;
  /** Writes a response, the packet at `packetAt` of `bytes`. */
  writeSegment(
    out: Uint8Array,
    offset: number,
    sessionId: number,
    bytes: Uint8Array,
    packetAt: number,
    header: PacketHeader,
    options: TcpOptions,
  ): void;
  /** Writes word about a flow. Only with {@link hasEvents}. */
  writeEvent(out: Uint8Array, offset: number, sessionId: number, event: number): void;
  /** Completes a buffer of `count` records. Returns the octets to send, from the start of the buffer. */
  finish(out: Uint8Array, count: number): number;
}

/** Records of one HEADERS frame: 64 KiB. */
export const RECORDS_MAX = 2047;
export const RECORD_BUFFER_BYTES = HEADERS_PREFIX_BYTES + RECORDS_MAX * RESPONSE_RECORD_BYTES;

/** The payload of a HEADERS frame: copies of ours. */
export const CHANNEL_RECORDS: RecordFormat = {
  recordsMax: RECORDS_MAX,
  hasEvents: true,
  offsetOf: (index) => HEADERS_PREFIX_BYTES + index * RESPONSE_RECORD_BYTES,
  writeSegment: (out, offset, sessionId, _bytes, _packetAt, header, options) =>
    writeSegmentRecord(out, offset, sessionId, header, options),
  writeEvent: writeEventRecord,
  finish: (out, count) => {
    writeHeadersPrefix(out, 0, RESPONSE_RECORD_BYTES, count);
    return HEADERS_PREFIX_BYTES + count * RESPONSE_RECORD_BYTES;
  },
};
