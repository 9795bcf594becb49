/**
 * Reads what a C intercept sends, frames of a count (u16) and so many records, and makes payloads of HEADERS frames of it. Memory is
 * fixed: one record that is not whole yet, and one payload. No object is made for a record.
 */
import { RESPONSE_RECORD_BYTES } from '../../batch/response-record.js';
import { writeSegmentRecord } from '../../batch/response-record-writer.js';
import { readU16 } from '../../wire/bytes.js';
import { PacketHeader } from '../../wire/packet-header.js';
import { TcpOptions } from '../../wire/tcp-options.js';
import { HEADERS_PREFIX_BYTES, writeHeadersPrefix } from '../headers-payload.js';
import { readHeaderRecord } from './header-record.js';
import type { WireFormat } from './wire-format.js';

export const FRAME_COUNT_BYTES = 2;
/** Responses of one payload; a chunk that brings more makes several. */
const PAYLOAD_RECORDS_MAX = 512;
const NO_SESSION = -1;

/** The session that a response is for, or -1. `header` says where its addresses and ports stand in `bytes`. */
export type SessionFinder = (bytes: Uint8Array, header: PacketHeader) => number;

/** Takes `bytes[0 .. length)`, the payload of a HEADERS frame; valid during the call only. */
export type HeadersPayloadHandler = (bytes: Uint8Array, length: number) => void;

/** Cumulative. */
export interface HeaderFrameCounters {
  frames: number;
  records: number;
  /** Records that are no IPv4 TCP header. */
  recordsMalformed: number;
  /** Responses of no session that is open. */
  recordsUnknown: number;
}

export class HeaderFrameReader {
  readonly counters: HeaderFrameCounters = { frames: 0, records: 0, recordsMalformed: 0, recordsUnknown: 0 };
  readonly #format: WireFormat;
  readonly #findSession: SessionFinder;
  readonly #onPayload: HeadersPayloadHandler;
  readonly #header = new PacketHeader();
  readonly #options = new TcpOptions();
  readonly #payload = new Uint8Array(HEADERS_PREFIX_BYTES + PAYLOAD_RECORDS_MAX * RESPONSE_RECORD_BYTES);
  #payloadRecords = 0;
  /** What there is of the count, or of a record. */
  readonly #partial: Uint8Array;
  #partialBytes = 0;
  /** Records of the frame that are still to come. */
  #recordsLeft = 0;
  #oversizedCount = 0;

  constructor(format: WireFormat, findSession: SessionFinder, onPayload: HeadersPayloadHandler) {
    this.#format = format;
    this.#findSession = findSession;
    this.#onPayload = onPayload;
    this.#partial = new Uint8Array(format.recordBytes);
  }

  /** The count that broke the stream: more records than a frame may have. 0 when nothing did. */
  get oversizedCount(): number {
    return this.#oversizedCount;
  }

  /** Reads a chunk; payloads are handed over before it returns. False when the stream cannot be read on: its borders are lost. */
  push(chunk: Uint8Array, start = 0, end: number = chunk.length): boolean {
    for (let at = start; at < end && this.#oversizedCount === 0; ) {
      const wantedBytes = this.#recordsLeft > 0 ? this.#format.recordBytes : FRAME_COUNT_BYTES;
      if (this.#partialBytes === 0 && end - at >= wantedBytes) {
        this.#take(chunk, at);
        at += wantedBytes;
        continue;
      }
      const taken = Math.min(end - at, wantedBytes - this.#partialBytes);
      this.#partial.set(chunk.subarray(at, at + taken), this.#partialBytes);
      this.#partialBytes += taken;
      at += taken;
      if (this.#partialBytes < wantedBytes) break;
      this.#partialBytes = 0;
      this.#take(this.#partial, 0);
    }
    this.#flush();
    return this.#oversizedCount === 0;
  }

  /** A whole count, or a whole record. */
  #take(bytes: Uint8Array, offset: number): void {
    if (this.#recordsLeft > 0) {
      this.#recordsLeft -= 1;
      this.#record(bytes, offset);
      return;
    }
    const count = readU16(bytes, offset);
    if (count > this.#format.countMax) {
      this.#oversizedCount = count;
      return;
    }
    this.counters.frames += 1;
    this.#recordsLeft = count;
  }

  #record(bytes: Uint8Array, offset: number): void {
    const header = this.#header;
    this.counters.records += 1;
    if (!readHeaderRecord(bytes, offset, this.#format.recordBytes, header, this.#options)) {
      this.counters.recordsMalformed += 1;
      return;
    }
    const sessionId = this.#findSession(bytes, header);
    if (sessionId === NO_SESSION) {
      this.counters.recordsUnknown += 1;
      return;
    }
    const at = HEADERS_PREFIX_BYTES + this.#payloadRecords * RESPONSE_RECORD_BYTES;
    writeSegmentRecord(this.#payload, at, sessionId, header, this.#options);
    this.#payloadRecords += 1;
    if (this.#payloadRecords === PAYLOAD_RECORDS_MAX) this.#flush();
  }

  #flush(): void {
    const count = this.#payloadRecords;
    if (count === 0) return;
    this.#payloadRecords = 0;
    writeHeadersPrefix(this.#payload, 0, RESPONSE_RECORD_BYTES, count);
    this.#onPayload(this.#payload, HEADERS_PREFIX_BYTES + count * RESPONSE_RECORD_BYTES);
  }
}
