import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DATAGRAM_RANGES_MAX, datagramCapability, datagramRanges } from '../../src/channel/datagram-capability.js';
import { type AddressRange, containsRange } from '../../src/wire/address-range.js';
import { parseIpAddress } from '../../src/wire/ip-address.js';

function range(text: string): AddressRange {
  const [address = '', bits = ''] = text.split('/');
  return { address: parseIpAddress(address)!, prefixBits: Number(bits) };
}

describe('the capability to take datagrams', () => {
  it('says the ranges that it takes them from', () => {
    const texts = ['10.9.0.0/16', 'fd09::/64', '192.0.2.7/32'];
    const names = ['payload', ...texts.map((text) => datagramCapability(range(text)))];
    assert.deepEqual(names[1], 'datagrams:10.9.0.0/16');
    assert.deepEqual(datagramRanges(names), texts.map(range));
  });

  it('is none where nothing is understood, and bounded', () => {
    const odd = ['datagrams:', 'datagrams:10.0.0.0', 'datagrams:10.0.0.0/33', 'datagrams:x/8', 'datagrams:10.0.0.0/08'];
    assert.deepEqual(datagramRanges([...odd, 'datagrams:10.0.0.0/8/8', 'datagram:10.0.0.0/8']), []);
    const many = Array.from({ length: 60 }, (_, index) => `datagrams:10.${index}.0.0/16`);
    assert.equal(datagramRanges(many).length, DATAGRAM_RANGES_MAX);
  });
});

describe('a range within another', () => {
  for (const [outer, inner, is] of [
    ['10.0.0.0/8', '10.9.0.0/16', true],
    ['10.9.0.0/16', '10.9.0.0/16', true],
    ['10.9.0.0/16', '10.0.0.0/8', false],
    ['10.9.0.0/16', '10.8.0.0/24', false],
    ['10.9.128.0/17', '10.9.127.255/32', false],
    ['0.0.0.0/0', '10.9.0.0/16', true],
    ['::/0', '10.9.0.0/16', false],
    ['fd09::/63', 'fd09:0:0:1::/64', true],
  ] as const) {
    it(`${inner} in ${outer}: ${is}`, () => assert.equal(containsRange(range(outer), range(inner)), is));
  }
});
