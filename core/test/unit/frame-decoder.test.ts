import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  encodeFrame,
  FRAME,
  FRAME_PAYLOAD_BYTES_MAX,
  FrameDecoder,
  type FrameType,
  frameName,
} from '../../src/index.js';

interface Taken {
  readonly type: number;
  readonly payload: number[];
  /** Whether the payload lay in the chunk itself. */
  readonly isInPlace: boolean;
}

function decoder(payloadBytesMax = 64): { decoder: FrameDecoder; taken: Taken[]; push(chunk: Uint8Array): boolean } {
  const taken: Taken[] = [];
  let current = new Uint8Array(0);
  const frames = new FrameDecoder(payloadBytesMax, (type, bytes, offset, length) => {
    const payload = Array.from(bytes.subarray(offset, offset + length));
    taken.push({ type, payload, isInPlace: bytes === current });
    return type !== FRAME.GOAWAY;
  });
  const push = (chunk: Uint8Array): boolean => {
    current = new Uint8Array(chunk);
    return frames.push(current);
  };
  return { decoder: frames, taken, push };
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => Array.from(part)));
}

const AB = encodeFrame(FRAME.PACKETS, Uint8Array.of(0xa, 0xb));
const EMPTY = encodeFrame(FRAME.PING, new Uint8Array(0));

test('frames that lie whole in a chunk are handed over in place', () => {
  const { push, taken } = decoder();
  assert.ok(push(joined(AB, EMPTY, AB)));
  assert.deepEqual(
    taken.map(({ type, payload }) => [type, payload]),
    [
      [FRAME.PACKETS, [0xa, 0xb]],
      [FRAME.PING, []],
      [FRAME.PACKETS, [0xa, 0xb]],
    ],
  );
  assert.ok(taken.every(({ isInPlace }) => isInPlace));
});

test('a frame that spans chunks is put together, wherever it is cut', () => {
  const stream = joined(AB, EMPTY, AB);
  for (let first = 0; first <= stream.length; first += 1) {
    for (let second = first; second <= stream.length; second += 1) {
      const { decoder: frames, push, taken } = decoder();
      for (const chunk of [stream.slice(0, first), stream.slice(first, second), stream.slice(second)]) {
        assert.ok(push(chunk));
      }
      assert.deepEqual(
        taken.map(({ type }) => type),
        [FRAME.PACKETS, FRAME.PING, FRAME.PACKETS],
      );
      assert.deepEqual(taken[2]!.payload, [0xa, 0xb]);
      assert.ok(frames.isBetweenFrames);
    }
  }
});

test('a payload of the limit is taken, one octet more stops the decoder for good', () => {
  const { decoder: frames, push, taken } = decoder(4);
  assert.ok(push(encodeFrame(FRAME.STATS, new Uint8Array(4))));
  assert.equal(push(encodeFrame(FRAME.STATS, new Uint8Array(5))), false);
  assert.equal(frames.oversizedBytes, 5);
  assert.equal(push(AB), false);
  assert.equal(taken.length, 1);
});

test('a header alone takes no memory, whatever it announces; octets that came do, up to the limit', () => {
  const { decoder: frames, push } = decoder(FRAME_PAYLOAD_BYTES_MAX);
  const header = encodeFrame(FRAME.PACKETS, new Uint8Array(0));
  header[1] = 0x10;
  assert.ok(push(header));
  assert.equal(frames.assemblyBytes, 0);
  assert.ok(push(new Uint8Array(1000)));
  assert.equal(frames.heldBytes, 1000);
  assert.equal(frames.assemblyBytes, FRAME_PAYLOAD_BYTES_MAX);
});

test('a handler that says no stops the decoder: the rest of the chunk is not read', () => {
  const { push, taken } = decoder();
  assert.equal(push(joined(AB, encodeFrame(FRAME.GOAWAY, new Uint8Array(0)), AB)), false);
  assert.equal(taken.length, 2);
  assert.equal(push(AB), false);
});

test('the limit can be raised between frames', () => {
  const { decoder: frames, push, taken } = decoder(1);
  frames.setPayloadBytesMax(2);
  assert.ok(push(AB));
  assert.equal(taken.length, 1);
});

test('frames have names, unknown types too', () => {
  assert.equal(frameName(FRAME.HEADERS), 'HEADERS');
  assert.equal(frameName(77 as FrameType), 'type 77');
});
