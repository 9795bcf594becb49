import {
  DATAGRAMS_FAILED,
  DATAGRAMS_INJECTED,
  DATAGRAMS_REFUSED,
  DATAGRAMS_UNREACHABLE,
  elapsedUsOf,
  keptBytesOf,
  RESPONSE_ACK,
  RESPONSE_EVENT,
  RESPONSE_EVENT_DATAGRAMS,
  RESPONSE_FLAGS,
  RESPONSE_KEPT,
  RESPONSE_PAYLOAD_BYTES,
  RESPONSE_SEQ,
  RESPONSE_SESSION_ID,
  type ResponseBatch,
  readU32,
  responseRecordBytes,
  SYN,
} from '@trafficcopy/core';

/** One response record as an object. */
export interface ResponseView {
  readonly sessionId: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly payloadBytes: number;
  readonly event: number;
  /** Octets of the payload that came along. */
  readonly kept: string;
}

export function responseViews(batch: ResponseBatch): ResponseView[] {
  let next = batch.offset;
  return Array.from({ length: batch.count }, () => {
    const at = next;
    next += responseRecordBytes(batch, at);
    return {
      sessionId: readU32(batch.bytes, at + RESPONSE_SESSION_ID),
      seq: readU32(batch.bytes, at + RESPONSE_SEQ),
      ack: readU32(batch.bytes, at + RESPONSE_ACK),
      flags: batch.bytes[at + RESPONSE_FLAGS]!,
      payloadBytes: readU32(batch.bytes, at + RESPONSE_PAYLOAD_BYTES),
      event: batch.bytes[at + RESPONSE_EVENT]!,
      kept: String.fromCharCode(
        ...batch.bytes.subarray(at + RESPONSE_KEPT, at + RESPONSE_KEPT + keptBytesOf(batch, at)),
      ),
    };
  });
}

/** What records say of datagrams: injected, refused, failed. */
export function tallies(batch: ResponseBatch): [injected: number, refused: number, failed: number][] {
  let next = batch.offset;
  const all: [number, number, number][] = [];
  for (let index = 0; index < batch.count; index += 1) {
    const at = next;
    next += responseRecordBytes(batch, at);
    if (batch.bytes[at + RESPONSE_EVENT] !== RESPONSE_EVENT_DATAGRAMS) continue;
    const [injected, refused, failed] = [DATAGRAMS_INJECTED, DATAGRAMS_REFUSED, DATAGRAMS_FAILED].map((field) =>
      readU32(batch.bytes, at + field),
    );
    all.push([injected!, refused!, failed!]);
  }
  return all;
}

/** Datagrams of which records say that nobody listened where they went. */
export function unreachable(batch: ResponseBatch): number {
  let sum = 0;
  for (let index = 0, at = batch.offset; index < batch.count; index += 1, at += responseRecordBytes(batch, at)) {
    if (batch.bytes[at + RESPONSE_EVENT] === RESPONSE_EVENT_DATAGRAMS)
      sum += readU32(batch.bytes, at + DATAGRAMS_UNREACHABLE);
  }
  return sum;
}

/** What the records say of the time since the last new octets of the client; -1: nothing. */
export function elapsedUs(batch: ResponseBatch): number[] {
  let next = batch.offset;
  return Array.from({ length: batch.count }, () => {
    const at = next;
    next += responseRecordBytes(batch, at);
    return batch.bytes[at + RESPONSE_FLAGS]! & SYN ? -1 : elapsedUsOf(batch.bytes, at);
  });
}
