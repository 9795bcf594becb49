import {
  RESPONSE_ACK,
  RESPONSE_EVENT,
  RESPONSE_FLAGS,
  RESPONSE_PAYLOAD_BYTES,
  RESPONSE_SEQ,
  RESPONSE_SESSION_ID,
  type ResponseBatch,
  readU32,
} from '@trafficcopy/core';

/** One response record as an object. */
export interface ResponseView {
  readonly sessionId: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly payloadBytes: number;
  readonly event: number;
}

export function responseViews(batch: ResponseBatch): ResponseView[] {
  return Array.from({ length: batch.count }, (_, index) => {
    const at = batch.offset + index * batch.strideBytes;
    return {
      sessionId: readU32(batch.bytes, at + RESPONSE_SESSION_ID),
      seq: readU32(batch.bytes, at + RESPONSE_SEQ),
      ack: readU32(batch.bytes, at + RESPONSE_ACK),
      flags: batch.bytes[at + RESPONSE_FLAGS]!,
      payloadBytes: readU32(batch.bytes, at + RESPONSE_PAYLOAD_BYTES),
      event: batch.bytes[at + RESPONSE_EVENT]!,
    };
  });
}
