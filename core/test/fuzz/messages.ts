/** Payloads of JSON: each is refused, or read as something that can be written and read again as the same. */
import assert from 'node:assert/strict';
import { type FuzzTarget, jsonInputs } from '@trafficcopy/fuzz';
import {
  encodeCertificateGrant,
  encodeCopyReport,
  encodeCopySettings,
  encodeGoodbye,
  encodeHello,
  encodeInterceptReport,
  encodeInterceptSettings,
  encodeJoinRequest,
  encodeRefusal,
  encodeRenewRequest,
  encodeStop,
  FRAME_HEADER_BYTES,
  parseCertificateGrant,
  parseCopyReport,
  parseCopySettings,
  parseGoodbye,
  parseHello,
  parseInterceptReport,
  parseInterceptSettings,
  parseJoinRequest,
  parseRefusal,
  parseRenewRequest,
  parseStop,
  type Refusal,
} from '../../src/index.js';
import { GOLDEN_FRAMES, GOLDEN_INTERCEPT_FRAMES } from '../kit/golden-frames.js';

interface Message {
  readonly parse: (bytes: Uint8Array, offset: number, length: number) => unknown;
  readonly encode: (message: never) => Uint8Array;
  readonly golden: Uint8Array;
}

/** The first octet of an input chooses. */
const MESSAGES: readonly Message[] = [
  { parse: parseHello, encode: encodeHello, golden: GOLDEN_FRAMES.HELLO },
  { parse: parseJoinRequest, encode: encodeJoinRequest, golden: GOLDEN_FRAMES.JOIN },
  { parse: parseCertificateGrant, encode: encodeCertificateGrant, golden: GOLDEN_FRAMES.JOINED },
  { parse: parseRenewRequest, encode: encodeRenewRequest, golden: GOLDEN_FRAMES.RENEW },
  { parse: parseGoodbye, encode: encodeGoodbye, golden: GOLDEN_FRAMES.GOAWAY },
  { parse: parseCopySettings, encode: encodeCopySettings, golden: GOLDEN_FRAMES.CONFIG },
  { parse: parseCopyReport, encode: encodeCopyReport, golden: GOLDEN_FRAMES.STATS },
  { parse: parseInterceptSettings, encode: encodeInterceptSettings, golden: GOLDEN_INTERCEPT_FRAMES.CONFIG },
  { parse: parseInterceptReport, encode: encodeInterceptReport, golden: GOLDEN_INTERCEPT_FRAMES.STATS },
  { parse: parseStop, encode: encodeStop, golden: GOLDEN_FRAMES.STOP },
  {
    parse: parseRefusal,
    encode: ({ code, message, version }: Refusal) => encodeRefusal(code, message, version),
    golden: GOLDEN_FRAMES.REFUSED,
  },
];
/** HELLO and JOIN stand behind a preamble. */
const PREAMBLE_BYTES = 8;
const WITH_PREAMBLE = 2;

const seeds = MESSAGES.map(({ golden }, index) => Uint8Array.of(index, ...golden.subarray(FRAME_HEADER_BYTES)));

const target: FuzzTarget = {
  seeds,
  mutate: (random, input) => {
    const prefixBytes = 1 + ((input[0] ?? 0) % MESSAGES.length < WITH_PREAMBLE ? PREAMBLE_BYTES : 0);
    return jsonInputs(input.slice(0, prefixBytes))(random, input);
  },
  words: ['"__proto__":', '\\u0000', '[[[[', '{"a":', '1e999', '-0', '\ufeff'],
  bytesMax: 3000,
  run: (input) => {
    const kind = (input[0] ?? 0) % MESSAGES.length;
    const { parse, encode } = MESSAGES[kind]!;
    const read = parse(input, Math.min(1, input.length), Math.max(0, input.length - 1));
    if (read === undefined) return kind;
    const written = encode(read as never);
    assert.deepEqual(parse(written, 0, written.length), read);
    return 16 + kind * 65_536 + Math.min(JSON.stringify(read).length, 65_535);
  },
};
export default target;
