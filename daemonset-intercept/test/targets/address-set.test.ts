import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIpAddress } from '@trafficcopy/core';
import fc from 'fast-check';
import { AddressSet } from '../../src/targets/address-set.js';

/** Where it stands in a packet. */
function has(set: AddressSet, text: string): boolean {
  const address = parseIpAddress(text)!;
  return set.has(Uint8Array.of(9, ...address, 9), 1, address.length);
}

describe('a set of addresses', () => {
  it('has those of both IP versions that were put in, and no others', () => {
    const set = new AddressSet(['10.0.0.3', '10.0.0.4', 'fd00::3'].map((text) => parseIpAddress(text)!));
    for (const text of ['10.0.0.3', '10.0.0.4', 'fd00::3']) assert.ok(has(set, text), text);
    for (const text of ['10.0.0.2', '0.0.0.0', 'fd00::4', '::', '::10.0.0.3']) assert.ok(!has(set, text), text);
    assert.ok(!has(new AddressSet(), '10.0.0.3'));
  });

  it('tells addresses apart whatever their octets are', () => {
    const address = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4, max: 2 }),
      fc.uint8Array({ minLength: 16, maxLength: 16, max: 1 }),
    );
    fc.assert(
      fc.property(fc.array(address, { maxLength: 40 }), address, (addresses, wanted) => {
        const isIn = addresses.some((one) => Buffer.compare(one, wanted) === 0);
        assert.equal(new AddressSet(addresses).has(wanted, 0, wanted.length), isIn);
      }),
    );
  });
});
