/** Template response segments: what a target's kernel answers, as intercept reports it. */
import {
  RESPONSE_HAS_TIMESTAMPS,
  RESPONSE_HAS_WINDOW_SCALE,
  RESPONSE_RECORD_BYTES,
  type ResponseBatch,
} from '../../src/batch/response-record.js';
import { writeU16, writeU32 } from '../../src/wire/bytes.js';
import { ACK } from '../../src/wire/tcp.js';

export interface ResponseSegment {
  sessionId: number;
  seq: number;
  ack: number;
  flags: number;
  window: number;
  payloadBytes: number;
  event: number;
  tsVal?: number;
  tsEcr?: number;
  mss?: number;
  windowScale?: number;
}

export const RESPONSE_TEMPLATE: ResponseSegment = {
  sessionId: 0,
  seq: 0,
  ack: 0,
  flags: ACK,
  window: 60_000,
  payloadBytes: 0,
  event: 0,
};

/** The record of one segment, spread over the template. */
export function recordOf(overrides: Partial<ResponseSegment>): Uint8Array {
  const segment = { ...RESPONSE_TEMPLATE, ...overrides };
  const record = new Uint8Array(RESPONSE_RECORD_BYTES);
  writeU32(record, 0, segment.sessionId);
  writeU32(record, 4, segment.seq);
  writeU32(record, 8, segment.ack);
  record[12] = segment.flags;
  writeU16(record, 14, segment.window);
  writeU32(record, 16, segment.payloadBytes);
  if (segment.tsVal !== undefined) {
    record[13] = record[13]! | RESPONSE_HAS_TIMESTAMPS;
    writeU32(record, 20, segment.tsVal);
    writeU32(record, 24, segment.tsEcr ?? 0);
  }
  writeU16(record, 28, segment.mss ?? 0);
  if (segment.windowScale !== undefined) {
    record[13] = record[13]! | RESPONSE_HAS_WINDOW_SCALE;
    record[30] = segment.windowScale;
  }
  record[31] = segment.event;
  return record;
}

export function responseBatchOf(records: readonly Uint8Array[]): ResponseBatch {
  const bytes = new Uint8Array(records.length * RESPONSE_RECORD_BYTES);
  for (const [index, record] of records.entries()) bytes.set(record, index * RESPONSE_RECORD_BYTES);
  return { bytes, offset: 0, strideBytes: RESPONSE_RECORD_BYTES, count: records.length };
}
