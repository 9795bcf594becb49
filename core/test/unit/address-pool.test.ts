import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AddressPool } from '../../src/flow/address-pool.js';
import type { AddressRange } from '../../src/wire/address-range.js';
import { formatIpAddress, parseIpAddress } from '../../src/wire/ip-address.js';

function range(text: string): AddressRange {
  const [address, bits] = text.split('/') as [string, string];
  return { address: parseIpAddress(address)!, prefixBits: Number(bits) };
}

function pool(addressBytes: 4 | 16, ...texts: readonly string[]): AddressPool {
  return new AddressPool(texts.map(range), addressBytes);
}

const HASH_MAX = 0xffffffff;

describe('a pool of addresses', () => {
  it('takes all hosts of an IPv4 range, without its first and last address', () => {
    const addresses = pool(4, '10.1.2.0/29');
    assert.equal(addresses.size, 6);
    assert.equal(formatIpAddress(addresses.choose(0)), '10.1.2.1');
    assert.equal(formatIpAddress(addresses.choose(HASH_MAX)), '10.1.2.6');
  });

  it('takes both addresses of a link, and a single one', () => {
    assert.equal(pool(4, '10.1.2.0/31').size, 2);
    const single = pool(4, '10.1.2.255/32');
    assert.equal(single.size, 1);
    assert.equal(formatIpAddress(single.choose(HASH_MAX)), '10.1.2.255');
  });

  it('of a large range goes over all of its octets', () => {
    const addresses = pool(4, '198.18.0.0/15');
    assert.equal(addresses.size, 131_070);
    assert.equal(formatIpAddress(addresses.choose(0)), '198.18.0.1');
    assert.equal(formatIpAddress(addresses.choose(HASH_MAX)), '198.19.255.254');
  });

  it('of several ranges gives each address its share', () => {
    const addresses = pool(4, '10.0.0.7/32', 'fd00::/64', '10.9.0.0/30', '10.0.0.9/32');
    assert.equal(addresses.size, 4);
    const quarter = (part: number): string => formatIpAddress(addresses.choose(Math.ceil((part * 2 ** 32) / 4)));
    assert.deepEqual([0, 1, 2, 3].map(quarter), ['10.0.0.7', '10.9.0.1', '10.9.0.2', '10.0.0.9']);
  });

  it('of an IPv6 range chooses the last 32 bits at most', () => {
    const addresses = pool(16, 'fd00:1::/48');
    assert.equal(addresses.size, 2 ** 32);
    assert.equal(formatIpAddress(addresses.choose(0x01020304)), 'fd00:1::102:304');
    assert.equal(formatIpAddress(pool(16, 'fd00::1:0/125').choose(HASH_MAX)), 'fd00::1:7');
  });

  it('may be empty', () => {
    assert.equal(pool(16, '10.0.0.1/32').size, 0);
  });
});
