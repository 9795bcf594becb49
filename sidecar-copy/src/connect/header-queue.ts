import {
  HEADERS_PREFIX_BYTES,
  RESPONSE_ACK,
  RESPONSE_FLAGS,
  RESPONSE_HAS_WINDOW_SCALE,
  RESPONSE_MSS,
  RESPONSE_OPTIONS,
  RESPONSE_PAYLOAD_BYTES,
  RESPONSE_RECORD_BYTES,
  RESPONSE_SEQ,
  RESPONSE_SESSION_ID,
  RESPONSE_WINDOW,
  RESPONSE_WINDOW_SCALE,
  SYN,
  writeElapsed,
  writeEventRecord,
  writeHeadersPrefix,
  writeU16,
  writeU32,
} from '@trafficcopy/core';

/** Records that go to the engine at once. */
const RECORDS_MAX = 4096;
/** Of a SYN-ACK: far more than a link carries, a quarter of the window at least. */
const MSS = 16_384;
/** Windows of other segments are in units of 4 octets. */
export const WINDOW_SCALE = 2;

/**
 * Headers for the engine, as intercept would send them. They are handed over at the end of the turn of the loop: what is said while the engine
 * sends must not call it again.
 */
export class HeaderQueue {
  private readonly onHeaders: (bytes: Uint8Array, length: number) => void;
  private readonly full: Uint8Array[] = [];
  private bytes = newBuffer();
  /** Used in turns with the other one. */
  private spare = newBuffer();
  private count = 0;
  private immediate: NodeJS.Immediate | undefined;

  /** `onHeaders`: the payload of a HEADERS frame, valid during the call. */
  constructor(onHeaders: (bytes: Uint8Array, length: number) => void) {
    this.onHeaders = onHeaders;
  }

  /** `elapsedUs`: since the last octets of the client went to the target; below 0: not known. */
  segment(
    sessionId: number,
    flags: number,
    seq: number,
    ack: number,
    windowField: number,
    payloadBytes: number,
    elapsedUs: number,
  ): void {
    const at = this.next();
    const { bytes } = this;
    const isSyn = (flags & SYN) !== 0;
    bytes.fill(0, at, at + RESPONSE_RECORD_BYTES);
    writeU32(bytes, at + RESPONSE_SESSION_ID, sessionId);
    writeU32(bytes, at + RESPONSE_SEQ, seq);
    writeU32(bytes, at + RESPONSE_ACK, ack);
    bytes[at + RESPONSE_FLAGS] = flags;
    writeU16(bytes, at + RESPONSE_WINDOW, windowField);
    writeU32(bytes, at + RESPONSE_PAYLOAD_BYTES, payloadBytes);
    if (!isSyn) {
      writeElapsed(bytes, at, elapsedUs);
      return;
    }
    bytes[at + RESPONSE_OPTIONS] = RESPONSE_HAS_WINDOW_SCALE;
    bytes[at + RESPONSE_WINDOW_SCALE] = WINDOW_SCALE;
    writeU16(bytes, at + RESPONSE_MSS, MSS);
  }

  event(sessionId: number, event: number): void {
    const at = this.next();
    writeEventRecord(this.bytes, at, sessionId, event);
  }

  close(): void {
    clearImmediate(this.immediate);
  }

  /** Where the next record begins. */
  private next(): number {
    if (this.count === RECORDS_MAX) {
      this.full.push(this.bytes);
      this.bytes = newBuffer();
      this.count = 0;
    }
    this.immediate ??= setImmediate(() => this.handOver());
    this.count += 1;
    return HEADERS_PREFIX_BYTES + (this.count - 1) * RESPONSE_RECORD_BYTES;
  }

  private handOver(): void {
    this.immediate = undefined;
    const { bytes, count } = this;
    this.bytes = this.spare;
    this.spare = bytes;
    this.count = 0;
    for (const earlier of this.full.splice(0)) this.give(earlier, RECORDS_MAX);
    this.give(bytes, count);
  }

  private give(bytes: Uint8Array, count: number): void {
    writeHeadersPrefix(bytes, 0, RESPONSE_RECORD_BYTES, count);
    this.onHeaders(bytes, HEADERS_PREFIX_BYTES + count * RESPONSE_RECORD_BYTES);
  }
}

function newBuffer(): Uint8Array {
  return new Uint8Array(HEADERS_PREFIX_BYTES + RECORDS_MAX * RESPONSE_RECORD_BYTES);
}
