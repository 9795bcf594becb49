/** The decoder of frames: however a stream is cut, the same frames come out, and no more is held than the limit. */
import assert from 'node:assert/strict';
import { type FuzzTarget, InputReader } from '@trafficcopy/fuzz';
import { FrameDecoder, frameName, isFrameType, parsePreamble } from '../../src/index.js';
import { GOLDEN_FRAMES } from '../kit/golden-frames.js';

const PAYLOAD_BYTES_MAX = 300;

/** What a decoder made of a stream. */
interface Reading {
  readonly frames: string;
  readonly oversizedBytes: number;
  readonly isOpen: boolean;
  readonly isBetweenFrames: boolean;
}

function read(stream: Uint8Array, chunkBytes: () => number): Reading {
  const frames: string[] = [];
  const decoder = new FrameDecoder(PAYLOAD_BYTES_MAX, (type, bytes, offset, length) => {
    assert.ok(length <= PAYLOAD_BYTES_MAX && offset >= 0 && offset + length <= bytes.length);
    let sum = 0;
    for (let at = offset; at < offset + length; at += 1) sum = (Math.imul(sum, 31) + bytes[at]!) | 0;
    frames.push(
      `${frameName(type)} ${isFrameType(type)} ${length} ${sum} ${parsePreamble(bytes, offset, length)?.major}`,
    );
    // Frames of type 99 end the stream, as a handler may.
    return type !== 99;
  });
  let isOpen = true;
  for (let at = 0; at < stream.length && isOpen; ) {
    const end = Math.min(stream.length, at + chunkBytes());
    const chunk = stream.slice(at, end);
    isOpen = decoder.push(chunk);
    chunk.fill(0xee);
    at = end;
    assert.ok(decoder.heldBytes <= PAYLOAD_BYTES_MAX && decoder.assemblyBytes <= Math.max(4096, PAYLOAD_BYTES_MAX));
  }
  const { oversizedBytes, isBetweenFrames } = decoder;
  return { frames: frames.join(), oversizedBytes, isOpen, isBetweenFrames: isOpen && isBetweenFrames };
}

const target: FuzzTarget = {
  seeds: Object.values(GOLDEN_FRAMES).map((frame) =>
    Uint8Array.of(3, 0, 9, 1, ...frame, ...frame.subarray(0, 40), ...frame),
  ),
  bytesMax: 1500,
  run: (input) => {
    const reader = new InputReader(input);
    const cuts = [reader.u8(), reader.u8(), reader.u8(), reader.u8()];
    const stream = reader.rest();
    let turn = 0;
    const whole = read(stream, () => stream.length);
    const pieces = read(stream, () => 1 + cuts[turn++ & 3]!);
    assert.deepEqual(pieces, whole);
    return whole.frames.length * 4 + (whole.isOpen ? 1 : 0) + (whole.isBetweenFrames ? 2 : 0);
  },
};
export default target;
