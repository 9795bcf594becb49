import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  encodeCertificateGrant,
  encodeGoodbye,
  encodeHello,
  encodeJoinRequest,
  encodeJson,
  encodeRefusal,
  encodeRenewRequest,
  HEADERS_PREFIX_BYTES,
  HeadersPayload,
  type Hello,
  keptBytesOf,
  parseCertificateGrant,
  parseGoodbye,
  parseHello,
  parseJoinRequest,
  parsePreamble,
  parseRefusal,
  parseRenewRequest,
  payloadBytesWished,
  payloadWish,
  RESPONSE_EVENT_SEGMENT,
  RESPONSE_KEPT,
  RESPONSE_RECORD_BYTES,
  readU32,
  responseRecordBytes,
  STRIDE_VARIES,
  withPreamble,
  writeEventRecord,
  writeHeadersPrefix,
  writeKept,
} from '../../src/index.js';

const HELLO: Hello = {
  version: { major: 1, minor: 0 },
  role: 'copy',
  name: 'online-1',
  delivery: 'tunnel',
  capabilities: ['prefix'],
  targets: [{ address: '10.16.12.11', port: 80 }],
};
const VERSION = { major: 1, minor: 0 };
const PEM = '-----BEGIN X-----\nAAAA\n-----END X-----\n';

test('messages come back as they were written', () => {
  assert.deepEqual(parseHello(encodeHello(HELLO)), HELLO);
  const join = { version: VERSION, secret: 's', role: 'copy', name: 'n', certificateRequest: PEM } as const;
  assert.deepEqual(parseJoinRequest(encodeJoinRequest(join)), join);
  assert.deepEqual(parseRenewRequest(encodeRenewRequest({ certificateRequest: PEM })), { certificateRequest: PEM });
  const grant = { certificate: PEM, authority: PEM };
  assert.deepEqual(parseCertificateGrant(encodeCertificateGrant(grant)), grant);
  const refusal = { code: 'tokenUsed', message: 'größer 🙂', version: VERSION } as const;
  assert.deepEqual(parseRefusal(encodeRefusal(refusal.code, refusal.message)), refusal);
  const goodbye = { code: 'redirect', message: 'm', host: 'h', port: 36524 } as const;
  assert.deepEqual(parseGoodbye(encodeGoodbye(goodbye)), goodbye);
});

test('HELLO of a newer minor version, with fields that are not known, is read', () => {
  const object = { role: 'copy', name: '', delivery: 'direct', capabilities: ['x'], targets: [], colour: { a: [1] } };
  const hello = parseHello(withPreamble({ major: 1, minor: 9 }, encodeJson(object)));
  assert.deepEqual(hello?.version, { major: 1, minor: 9 });
});

for (const [what, change] of [
  ['another role', { role: 'root' }],
  ['no role', { role: undefined }],
  ['a role that is an object’s own property', { role: 'constructor' }],
  ['a name of a number', { name: 7 }],
  ['a name with a line break', { name: 'a\nlevel=error msg=forged' }],
  ['a name with an escape sequence', { name: '\u001b[2J' }],
  ['a name that is too long', { name: 'x'.repeat(256) }],
  ['another delivery', { delivery: 'pigeon' }],
  ['capabilities that are no list', { capabilities: 'x' }],
  ['a capability that is a number', { capabilities: [1] }],
  ['too many capabilities', { capabilities: new Array(65).fill('x') }],
  ['targets without a port', { targets: [{ address: '1.2.3.4' }] }],
  ['a port beyond 65535', { targets: [{ address: '1.2.3.4', port: 65536 }] }],
  ['a port with a fraction', { targets: [{ address: '1.2.3.4', port: 1.5 }] }],
  ['targets that are null', { targets: [null] }],
  ['too many targets', { targets: new Array(257).fill({ address: '1.2.3.4', port: 1 }) }],
] as const) {
  test(`HELLO with ${what} is not read`, () => {
    assert.equal(parseHello(withPreamble(VERSION, encodeJson({ ...HELLO, ...change }))), undefined);
  });
}

test('a payload without the magic is none of ours', () => {
  assert.equal(parsePreamble(encodeJson({ role: 'copy' }), 0, 15), undefined);
  assert.equal(parsePreamble(encodeHello(HELLO), 0, 7), undefined);
  assert.equal(parseHello(new Uint8Array(0)), undefined);
});

test('a refusal with a code of a newer version reads as one that may pass', () => {
  const payload = encodeJson({ code: 'moonPhase', message: 'wait', major: 1, minor: 7 });
  assert.deepEqual(parseRefusal(payload), { code: 'unavailable', message: 'wait', version: { major: 1, minor: 7 } });
});

test('a farewell that cannot be read is still one, and a redirect without a place is none', () => {
  assert.deepEqual(parseGoodbye(Uint8Array.of(0xff)), { code: 'closing', message: '' });
  assert.deepEqual(parseGoodbye(encodeJson({ code: 'redirect', message: 'm', port: 5 })), {
    code: 'redirect',
    message: 'm',
  });
});

test('a HEADERS payload is a response batch in place', () => {
  const bytes = new Uint8Array(7 + 4 + 2 * RESPONSE_RECORD_BYTES);
  writeHeadersPrefix(bytes, 7, RESPONSE_RECORD_BYTES, 2);
  const batch = new HeadersPayload();
  assert.ok(batch.read(bytes, 7, bytes.length - 7));
  const { offset, strideBytes, count } = batch;
  assert.deepEqual({ offset, strideBytes, count }, { offset: 11, strideBytes: RESPONSE_RECORD_BYTES, count: 2 });
  assert.equal(batch.bytes, bytes);
});

for (const [what, strideBytes, count, length] of [
  ['no prefix', 32, 0, 3],
  ['a stride below a record', 28, 1, 4 + 28],
  ['a stride that is no multiple of 4', 33, 1, 4 + 33],
  ['records of their own length that are not there', 0, 65535, 4],
  ['a record of its own length that is cut', 0, 1, 4 + 32],
  ['fewer octets than it counts', 32, 2, 4 + 32],
  ['more octets than it counts', 32, 1, 4 + 64],
] as const) {
  test(`a HEADERS payload with ${what} is an empty batch`, () => {
    const bytes = new Uint8Array(128);
    writeHeadersPrefix(bytes, 0, strideBytes, count);
    const batch = new HeadersPayload();
    assert.equal(batch.read(bytes, 0, length), false);
    assert.equal(batch.count, 0);
  });
}

test('a HEADERS payload with payload octets is walked record by record', () => {
  const bytes = new Uint8Array(256);
  const sizes = [0, 1, 4, 7];
  let at = HEADERS_PREFIX_BYTES;
  for (const [index, kept] of sizes.entries()) {
    writeEventRecord(bytes, at, index, RESPONSE_EVENT_SEGMENT);
    at = writeKept(bytes, at, new Uint8Array(9).fill(index + 1), 1, kept, 100);
  }
  writeHeadersPrefix(bytes, 0, STRIDE_VARIES, sizes.length);
  const batch = new HeadersPayload();
  assert.ok(batch.read(bytes, 0, at));
  let record = batch.offset;
  for (const [index, kept] of sizes.entries()) {
    assert.equal(readU32(bytes, record), index);
    assert.equal(keptBytesOf(batch, record), kept);
    const start = record + RESPONSE_KEPT;
    assert.deepEqual([...bytes.subarray(start, start + kept)], new Array(kept).fill(index + 1));
    record += responseRecordBytes(batch, record);
  }
  assert.equal(record, at);
  for (const length of [at - 1, at + 1, at + 4, at - 36]) assert.equal(batch.read(bytes, 0, length), false);
});

test('of a payload no more is kept than was asked for', () => {
  const bytes = new Uint8Array(128);
  const end = writeKept(bytes, 0, Uint8Array.of(1, 2, 3, 4, 5), 0, 5, 3);
  const batch = { bytes, offset: 0, strideBytes: STRIDE_VARIES, count: 1 };
  assert.equal(keptBytesOf(batch, 0), 3);
  assert.deepEqual([...bytes.subarray(RESPONSE_KEPT, end)], [1, 2, 3, 0]);
  assert.equal(responseRecordBytes(batch, 0), end);
});

test('what a copy says to get payload is what an intercept reads', () => {
  for (const bytes of [1, 512, 65_535]) assert.equal(payloadBytesWished(['instance:7', payloadWish(bytes)]), bytes);
  assert.equal(payloadWish(70_000), 'payload:65535');
  assert.equal(payloadWish(0), 'payload:1');
});

for (const text of [
  'payload',
  'payload:',
  'payload:0',
  'payload:-1',
  'payload:1e3',
  'payload:012',
  'payload:1000000',
]) {
  test(`the capability ${text} is no wish for payload`, () => {
    assert.equal(payloadBytesWished([text]), 0);
  });
}

test('a wish for more than a record holds gets what it holds', () => {
  assert.equal(payloadBytesWished(['payload:99999']), 65_535);
});
