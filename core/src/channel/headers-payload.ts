/**
 * The payload of a HEADERS frame: stride u16 (octets of each record, RESPONSE_RECORD_BYTES; STRIDE_VARIES where the copy asked for
 * payload), count u16, then the records of core/src/batch/response-record.ts.
 */
import {
  RESPONSE_KEPT,
  RESPONSE_RECORD_BYTES,
  type ResponseBatch,
  responseRecordBytes,
  STRIDE_VARIES,
} from '../batch/response-record.js';
import { readU16, writeU16 } from '../wire/bytes.js';

/** Octets before the first record. */
export const HEADERS_PREFIX_BYTES = 4;

export function writeHeadersPrefix(bytes: Uint8Array, offset: number, strideBytes: number, count: number): void {
  writeU16(bytes, offset, strideBytes);
  writeU16(bytes, offset + 2, count);
}

/** A ResponseBatch that can be pointed at one payload after the other, so that none is made per frame. */
export class HeadersPayload implements ResponseBatch {
  bytes: Uint8Array = new Uint8Array(0);
  offset = 0;
  strideBytes: number = RESPONSE_RECORD_BYTES;
  count = 0;

  /** Looks at a payload; false, and an empty batch, when it is not well-formed. The octets stay the caller's. */
  read(bytes: Uint8Array, offset: number, length: number): boolean {
    this.bytes = bytes;
    this.offset = offset + HEADERS_PREFIX_BYTES;
    this.count = 0;
    if (length < HEADERS_PREFIX_BYTES) return false;
    const strideBytes = readU16(bytes, offset);
    const count = readU16(bytes, offset + 2);
    this.strideBytes = strideBytes;
    const recordsBytes = length - HEADERS_PREFIX_BYTES;
    if (strideBytes === STRIDE_VARIES) {
      if (!this.#fits(count, recordsBytes)) return false;
    } else if (strideBytes < RESPONSE_RECORD_BYTES || strideBytes % 4 !== 0 || recordsBytes !== strideBytes * count) {
      return false;
    }
    this.count = count;
    return true;
  }

  /** Whether `count` records that say how long they are take exactly so many octets. */
  #fits(count: number, recordsBytes: number): boolean {
    const end = this.offset + recordsBytes;
    let at = this.offset;
    for (let index = 0; index < count; index += 1) {
      if (at + RESPONSE_KEPT > end) return false;
      at += responseRecordBytes(this, at);
    }
    return at === end;
  }
}
