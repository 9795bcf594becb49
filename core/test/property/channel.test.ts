/** Properties of the channel codec: any chunking gives the same frames; hostile octets give nothing worse than `undefined`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decodeUtf8,
  encodeFrame,
  encodeUtf8,
  FRAME,
  FrameDecoder,
  type FrameType,
  HeadersPayload,
  parseCertificateGrant,
  parseCopyReport,
  parseCopySettings,
  parseGoodbye,
  parseHello,
  parseInterceptReport,
  parseInterceptSettings,
  parseJoinRequest,
  parseJson,
  parseRefusal,
  parseRenewRequest,
  parseStop,
  responseRecordBytes,
  withPreamble,
} from '../../src/index.js';
import { COPY_REPORT, COPY_SETTINGS, INTERCEPT_REPORT, INTERCEPT_SETTINGS } from '../kit/golden-frames.js';

const LIMIT = 300;
const anyFrame = fc.record({ type: fc.integer({ min: 0, max: 255 }), payload: fc.uint8Array({ maxLength: LIMIT }) });

test('any chunking of a stream gives the frames that were written', () => {
  fc.assert(
    fc.property(
      fc.array(anyFrame, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 40 }),
      (frames, cuts) => {
        const parts = frames.map(({ type, payload }) => encodeFrame(type as FrameType, payload));
        const stream = Uint8Array.from(parts.flatMap((part) => Array.from(part)));
        const taken: { type: number; payload: number[] }[] = [];
        const decoder = new FrameDecoder(LIMIT, (type, bytes, offset, length) => {
          taken.push({ type, payload: Array.from(bytes.subarray(offset, offset + length)) });
          return true;
        });
        for (let at = 0, cut = 0; at < stream.length; cut += 1) {
          const end = Math.min(stream.length, at + cuts[cut % cuts.length]!);
          // A chunk that is used again for the next read must not change what was taken from it.
          const chunk = stream.slice(at, end);
          assert.ok(decoder.push(chunk));
          chunk.fill(0xee);
          at = end;
        }
        assert.deepEqual(
          taken,
          frames.map(({ type, payload }) => ({ type, payload: Array.from(payload) })),
        );
        assert.ok(decoder.isBetweenFrames);
      },
    ),
  );
});

test('a range of a larger chunk is read as the range alone', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 20 }),
      fc.uint8Array({ maxLength: 20 }),
      anyFrame,
      (before, after, frame) => {
        const encoded = encodeFrame(frame.type as FrameType, frame.payload);
        const chunk = Uint8Array.from([...before, ...encoded, ...after]);
        let taken = 0;
        const decoder = new FrameDecoder(LIMIT, (_type, _bytes, offset, length) => {
          assert.equal(offset, before.length + 8);
          assert.equal(length, frame.payload.length);
          taken += 1;
          return true;
        });
        assert.ok(decoder.push(chunk, before.length, before.length + encoded.length));
        assert.equal(taken, 1);
      },
    ),
  );
});

test('hostile octets never throw, and never make the decoder hold more than its limit', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 600 }), { maxLength: 20 }), (chunks) => {
      let payloadBytes = 0;
      const decoder = new FrameDecoder(LIMIT, (_type, bytes, offset, length) => {
        assert.ok(offset >= 0 && offset + length <= bytes.length && length <= LIMIT);
        payloadBytes += length;
        return true;
      });
      let isOpen = true;
      for (const chunk of chunks) {
        const wasOpen = isOpen;
        isOpen = decoder.push(chunk);
        assert.ok(wasOpen || !isOpen, 'a broken decoder stays broken');
        assert.ok(decoder.heldBytes <= LIMIT && decoder.assemblyBytes <= LIMIT);
      }
      assert.ok(payloadBytes <= chunks.reduce((sum, chunk) => sum + chunk.length, 0));
      assert.equal(isOpen, decoder.oversizedBytes === 0);
    }),
  );
});

const PARSERS = [
  parseHello,
  parseJoinRequest,
  parseRefusal,
  parseGoodbye,
  parseRenewRequest,
  parseCertificateGrant,
  parseJson,
  parseCopySettings,
  parseInterceptSettings,
  parseCopyReport,
  parseInterceptReport,
  parseStop,
];

/** Octets, and JSON of any kind, with and without preamble. */
const hostilePayload = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.json().map((text) => encodeUtf8(text)),
  fc.json().map((text) => withPreamble({ major: 1, minor: 0 }, encodeUtf8(text))),
  fc
    .dictionary(
      fc.constantFrom('role', 'name', 'delivery', 'capabilities', 'targets', 'code', 'message', 'secret', '__proto__'),
      fc.anything(),
    )
    .map((object) => withPreamble({ major: 1, minor: 0 }, encodeUtf8(jsonText(object)))),
);

function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null';
  } catch {
    return '{}';
  }
}

test('hostile payloads never make a message parser throw', () => {
  fc.assert(
    fc.property(hostilePayload, fc.nat(20), (payload, offset) => {
      for (const parse of PARSERS) parse(payload, Math.min(offset, payload.length));
      const batch = new HeadersPayload();
      batch.read(payload, 0, payload.length);
      let at = batch.offset;
      for (let index = 0; index < batch.count; index += 1) at += responseRecordBytes(batch, at);
      if (batch.count > 0) assert.equal(at, payload.length, 'records fill the payload');
    }),
    { numRuns: 300 },
  );
});

/** Every place in a value of JSON, as the keys that lead there. */
function placesOf(value: unknown): string[][] {
  if (typeof value !== 'object' || value === null) return [[]];
  return [[], ...Object.entries(value).flatMap(([key, part]) => placesOf(part).map((place) => [key, ...place]))];
}

function replaced(value: unknown, place: readonly string[], by: unknown): unknown {
  const [key, ...rest] = place;
  if (key === undefined) return by;
  const parts = Array.isArray(value) ? [...value] : { ...(value as object) };
  (parts as Record<string, unknown>)[key] = replaced((value as Record<string, unknown>)[key], rest, by);
  return parts;
}

for (const [what, valid, parse] of [
  ['settings of a copy', COPY_SETTINGS, parseCopySettings],
  ['settings of an intercept', INTERCEPT_SETTINGS, parseInterceptSettings],
  ['a report of a copy', COPY_REPORT, parseCopyReport],
  ['a report of an intercept', INTERCEPT_REPORT, parseInterceptReport],
] as const) {
  test(`anything at any place of ${what} is refused, or read as what it is`, () => {
    const places = placesOf(valid);
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.jsonValue({ maxDepth: 3 }), (place, junk) => {
        const payload = encodeUtf8(JSON.stringify(replaced(valid, place, junk)));
        const read = parse(payload);
        if (read === undefined) return;
        // What was read can be written and is read again as the same: nothing half checked is handed on.
        assert.deepEqual(parse(encodeUtf8(JSON.stringify(read))), read);
        assert.equal(read.kind, valid.kind);
      }),
      { numRuns: 1000 },
    );
  });
}

test('JSON that is nested too deeply is undefined, not a stack overflow', () => {
  const deep = encodeUtf8(`{"a":${'['.repeat(500_000)}`);
  assert.equal(parseJson(deep), undefined);
});

test('UTF-8: what is written is read, and agrees with the platform’s decoder on any octets', () => {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const encoder = new TextEncoder();
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.deepEqual(encodeUtf8(text), encoder.encode(text));
      assert.equal(decodeUtf8(encodeUtf8(text)), text);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const [ours, theirs] = [decodeUtf8(bytes), decoder.decode(bytes)];
      // The number of U+FFFD for one ill-formed sequence is a matter of taste; the rest is not.
      assert.equal(ours.replaceAll(/\ufffd+/g, '\ufffd'), theirs.replaceAll(/\ufffd+/g, '\ufffd'));
    }),
  );
  const large = 'aé€🙂'.repeat(5000);
  assert.equal(decodeUtf8(encodeUtf8(large)), large);
});

test('PACKETS frames survive the trip with their type', () => {
  const frame = encodeFrame(FRAME.PACKETS, Uint8Array.of(1, 2, 3));
  assert.deepEqual(Array.from(frame), [0, 0, 0, 3, 16, 0, 0, 0, 1, 2, 3]);
});
