import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ACK,
  elapsedUsOf,
  HeadersPayload,
  keptBytesOf,
  PSH,
  RESPONSE_ACK,
  RESPONSE_EVENT,
  RESPONSE_EVENT_FLOW_TABLE_FULL,
  RESPONSE_KEPT,
  RESPONSE_PAYLOAD_BYTES,
  RESPONSE_SESSION_ID,
  readU32,
  responseRecordBytes,
} from '@trafficcopy/core';
import { HeaderQueue } from '../../src/connect/header-queue.js';

interface Heard {
  readonly sessionId: number;
  readonly ack: number;
  readonly payloadBytes: number;
  readonly event: number;
  readonly elapsedUs: number;
  readonly kept: string;
}

/** Everything that is handed over until `count` records have come. */
async function hear(keptBytesMax: number, count: number, say: (queue: HeaderQueue) => void): Promise<Heard[]> {
  const heard: Heard[] = [];
  const payload = new HeadersPayload();
  let isSaying = true;
  await new Promise<void>((resolve) => {
    const queue = new HeaderQueue(keptBytesMax, (bytes, length) => {
      assert.ok(!isSaying, 'nothing is handed over while it is said');
      assert.ok(payload.read(bytes, 0, length), 'a payload that the engine takes');
      for (let index = 0, at = payload.offset; index < payload.count; index += 1) {
        heard.push({
          sessionId: readU32(bytes, at + RESPONSE_SESSION_ID),
          ack: readU32(bytes, at + RESPONSE_ACK),
          payloadBytes: readU32(bytes, at + RESPONSE_PAYLOAD_BYTES),
          event: bytes[at + RESPONSE_EVENT]!,
          elapsedUs: elapsedUsOf(bytes, at),
          kept: Buffer.from(
            bytes.subarray(at + RESPONSE_KEPT, at + RESPONSE_KEPT + keptBytesOf(payload, at)),
          ).toString(),
        });
        at += responseRecordBytes(payload, at);
      }
      if (heard.length >= count) resolve();
    });
    say(queue);
    isSaying = false;
  });
  return heard;
}

describe('headers for the engine', () => {
  const COUNT = 10_000;
  for (const keptBytesMax of [0, 64, 16_384]) {
    it(`come whole and in their order, with ${keptBytesMax} octets of payload at most, however many there are`, async () => {
      const text = (index: number): string => `${index} `.repeat(index % 50);
      const heard = await hear(keptBytesMax, COUNT + 1, (queue) => {
        for (let index = 0; index < COUNT; index += 1) {
          const payload = Buffer.from(text(index));
          queue.segment(payload, index + 1, ACK | PSH, 1, index, 1, payload.length, 120);
        }
        queue.event(7, RESPONSE_EVENT_FLOW_TABLE_FULL);
      });
      assert.equal(heard.length, COUNT + 1);
      for (const [index, one] of heard.slice(0, COUNT).entries()) {
        const said = text(index);
        const expected = { sessionId: index + 1, ack: index, payloadBytes: said.length, event: 0, elapsedUs: 120 };
        assert.deepEqual(one, { ...expected, kept: said.slice(0, keptBytesMax) });
      }
      assert.deepEqual([heard[COUNT]!.sessionId, heard[COUNT]!.event], [7, RESPONSE_EVENT_FLOW_TABLE_FULL]);
    });
  }
});
