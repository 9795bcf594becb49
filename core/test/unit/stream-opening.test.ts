import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type StreamKind, StreamOpening } from '../../src/session/stream-opening.js';

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

/** All at once, and octet by octet: the answer is the same. */
function kindOf(isStart: boolean, hex: string): StreamKind {
  const bytes = bytesOf(hex);
  const whole = new StreamOpening(isStart).read(bytes, 0, bytes.length);
  const opening = new StreamOpening(isStart);
  let kind: StreamKind = 'undecided';
  for (let at = 0; at < bytes.length && kind === 'undecided'; at += 1) kind = opening.read(bytes, at, 1);
  assert.equal(kind, whole);
  return whole;
}

const GET = Buffer.from('GET / HTTP/1.1').toString('hex');

describe('the first octets of a stream', () => {
  const rows: readonly [what: string, hex: string, kind: StreamKind][] = [
    ['a ClientHello of TLS 1.3', '16 0301 0200 01 0001fc 0303 aabb', 'tls'],
    ['a ClientHello that says 1.2 in its record', '16 0303 00c8 01 0000c4 0303', 'tls'],
    ['a ClientHello of TLS 1.0', '16 0301 0031 01 00002d 0301', 'tls'],
    ['a ClientHello that is cut short', '16 0301 0200 01 0001fc 03', 'undecided'],
    ['one octet that may be of a ClientHello', '16', 'undecided'],
    ['a request', GET, 'plain'],
    ['a later record of TLS, which cannot be the first', '17 0303 0045 aabbccddeeff001122', 'plain'],
    ['another message of the handshake', '16 0303 0010 10 00000c 0303', 'plain'],
    ['a record that is too long', '16 0301 4900 01 0001fc 0303', 'plain'],
    ['a ClientHello of 64 KiB and more', '16 0301 4800 01 0101fc 0303', 'plain'],
    // A login to MySQL of 790 octets: length in 24 bits, number, capabilities.
    ['what MySQL sends first', '16 030001 8da6ff00 00000040', 'plain'],
  ];
  for (const [what, hex, kind] of rows) it(`${what}: ${kind}`, () => assert.equal(kindOf(true, hex), kind));
});

describe('the first octets after a running connection was joined', () => {
  const rows: readonly [what: string, hex: string, kind: StreamKind][] = [
    ['application data', '17 0303 0045 aabb', 'tls'],
    ['an alert, encrypted', '15 0303 0013 aa', 'tls'],
    ['a change of cipher', '14 0303 0001 01', 'tls'],
    ['a ClientHello', '16 0301 0200 01', 'tls'],
    ['half a header', '17 0303 00', 'undecided'],
    ['a request', GET, 'plain'],
    ['an alert that is not encrypted, of two octets', '15 0303 0002 01', 'plain'],
    ['a change of cipher of many octets', '14 0303 0010 01', 'plain'],
    // A query of 790 octets, as MySQL sends it: length in 24 bits, number, command.
    ['a query of MySQL', '16 030000 03 53454c', 'plain'],
    ['another content type', '18 0303 0045 aa', 'plain'],
  ];
  for (const [what, hex, kind] of rows) it(`${what}: ${kind}`, () => assert.equal(kindOf(false, hex), kind));
});
