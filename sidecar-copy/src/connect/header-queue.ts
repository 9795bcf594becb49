import {
  HEADERS_PREFIX_BYTES,
  RESPONSE_ACK,
  RESPONSE_FLAGS,
  RESPONSE_HAS_WINDOW_SCALE,
  RESPONSE_KEPT,
  RESPONSE_MSS,
  RESPONSE_OPTIONS,
  RESPONSE_PAYLOAD_BYTES,
  RESPONSE_RECORD_BYTES,
  RESPONSE_SEQ,
  RESPONSE_SESSION_ID,
  RESPONSE_WINDOW,
  RESPONSE_WINDOW_SCALE,
  STRIDE_VARIES,
  SYN,
  writeElapsed,
  writeEventRecord,
  writeHeadersPrefix,
  writeKept,
  writeU16,
  writeU32,
} from '@trafficcopy/core';

/** Records that go to the engine at once, without payload and with it. */
const RECORDS_MAX = 4096;
const PAYLOAD_BUFFER_BYTES = 256 * 1024;
/** Of a SYN-ACK: far more than a link carries, a quarter of the window at least. */
const MSS = 16_384;
/** Windows of other segments are in units of 4 octets. */
export const WINDOW_SCALE = 2;

/** Records that are being filled. */
interface Records {
  readonly bytes: Uint8Array;
  count: number;
  /** Where the next one begins. */
  end: number;
}

/**
 * Headers for the engine, as intercept would send them. They are handed over at the end of the turn of the loop: what is said while the engine
 * sends must not call it again.
 */
export class HeaderQueue {
  private readonly keptBytesMax: number;
  private readonly onHeaders: (bytes: Uint8Array, length: number) => void;
  private readonly full: Records[] = [];
  private records: Records;
  /** Used in turns with the other one. */
  private spare: Records;
  private immediate: NodeJS.Immediate | undefined;

  /**
   * `onHeaders`: the payload of a HEADERS frame, valid during the call. With `keptBytesMax` above 0 records carry so many of the first octets
   * of a segment.
   */
  constructor(keptBytesMax: number, onHeaders: (bytes: Uint8Array, length: number) => void) {
    this.keptBytesMax = keptBytesMax;
    this.onHeaders = onHeaders;
    this.records = this.newRecords();
    this.spare = this.newRecords();
  }

  /**
   * `payload` begins with the octets of the segment; they are copied. `elapsedUs`: since the last octets of the client went to the target;
   * below 0: not known.
   */
  segment(
    payload: Uint8Array,
    sessionId: number,
    flags: number,
    seq: number,
    ack: number,
    windowField: number,
    payloadBytes: number,
    elapsedUs: number,
  ): void {
    const at = this.next();
    const { bytes } = this.records;
    const isSyn = (flags & SYN) !== 0;
    bytes.fill(0, at, at + RESPONSE_RECORD_BYTES);
    writeU32(bytes, at + RESPONSE_SESSION_ID, sessionId);
    writeU32(bytes, at + RESPONSE_SEQ, seq);
    writeU32(bytes, at + RESPONSE_ACK, ack);
    bytes[at + RESPONSE_FLAGS] = flags;
    writeU16(bytes, at + RESPONSE_WINDOW, windowField);
    writeU32(bytes, at + RESPONSE_PAYLOAD_BYTES, payloadBytes);
    if (isSyn) {
      bytes[at + RESPONSE_OPTIONS] = RESPONSE_HAS_WINDOW_SCALE;
      bytes[at + RESPONSE_WINDOW_SCALE] = WINDOW_SCALE;
      writeU16(bytes, at + RESPONSE_MSS, MSS);
    } else {
      writeElapsed(bytes, at, elapsedUs);
    }
    this.endRecord(at, payload, payloadBytes);
  }

  event(sessionId: number, event: number): void {
    const at = this.next();
    writeEventRecord(this.records.bytes, at, sessionId, event);
    this.endRecord(at, this.records.bytes, 0);
  }

  close(): void {
    clearImmediate(this.immediate);
  }

  /** Where the next record begins. */
  private next(): number {
    if (this.isFull()) {
      this.full.push(this.records);
      this.records = this.newRecords();
    }
    this.immediate ??= setImmediate(() => this.handOver());
    return this.records.end;
  }

  private isFull(): boolean {
    const { bytes, count, end } = this.records;
    if (this.keptBytesMax === 0) return count === RECORDS_MAX;
    return end + RESPONSE_KEPT + this.keptBytesMax + 3 > bytes.length;
  }

  private endRecord(at: number, payload: Uint8Array, payloadBytes: number): void {
    const { records, keptBytesMax } = this;
    records.count += 1;
    records.end =
      keptBytesMax === 0
        ? at + RESPONSE_RECORD_BYTES
        : writeKept(records.bytes, at, payload, 0, payloadBytes, keptBytesMax);
  }

  private handOver(): void {
    this.immediate = undefined;
    const { records } = this;
    this.records = this.spare;
    this.spare = records;
    for (const earlier of this.full.splice(0)) this.give(earlier);
    this.give(records);
    records.count = 0;
    records.end = HEADERS_PREFIX_BYTES;
  }

  private give({ bytes, count, end }: Records): void {
    writeHeadersPrefix(bytes, 0, this.keptBytesMax === 0 ? RESPONSE_RECORD_BYTES : STRIDE_VARIES, count);
    this.onHeaders(bytes, end);
  }

  private newRecords(): Records {
    const plainBytes = HEADERS_PREFIX_BYTES + RECORDS_MAX * RESPONSE_RECORD_BYTES;
    const bytes = new Uint8Array(this.keptBytesMax === 0 ? plainBytes : PAYLOAD_BUFFER_BYTES);
    return { bytes, count: 0, end: HEADERS_PREFIX_BYTES };
  }
}
