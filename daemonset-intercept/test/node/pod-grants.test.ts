import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatIpAddress, type InterceptPodSettings } from '@trafficcopy/core';
import { NewcomerPatience } from '../../src/node/newcomer-patience.js';
import { grantsOf, ownerOf } from '../../src/node/pod-grants.js';

const POD: InterceptPodSettings = {
  uid: '6f0c8d2e-0b7a-4c1d-9e51-3a5b7c9d1e2f',
  name: 'shop/checkout',
  addresses: ['10.0.0.3', 'fd00::3'],
  grants: [
    { owner: 'shop/one', ports: [8080, 8081], clientRanges: [] },
    { owner: 'shop/two', ports: [8080], clientRanges: ['198.18.0.0/15'] },
    { owner: 'shop/two', ports: [9090], clientRanges: ['198.18.0.1/15'] },
  ],
};

describe('grants', () => {
  it('the owner is the first two of the three parts of an identity', () => {
    assert.equal(ownerOf('shop/one/pod'), 'shop/one');
    for (const name of [undefined, '', 'shop', 'shop/one', 'shop/one/pod/more']) assert.equal(ownerOf(name), undefined);
  });

  it('give an owner its ports at every address of the pod, and a stranger nothing', () => {
    const one = grantsOf(POD, 'shop/one')!;
    assert.deepEqual(
      one.map(({ address, port }) => `${formatIpAddress(address!)} ${port}`),
      ['10.0.0.3 8080', '10.0.0.3 8081', 'fd00::3 8080', 'fd00::3 8081'],
    );
    assert.equal(grantsOf(POD, 'shop/three'), undefined);
    assert.equal(grantsOf(POD, 'shop'), undefined);
  });

  it('a range that cannot be read grants nothing, rather than any client', () => {
    const two = grantsOf(POD, 'shop/two')!;
    assert.deepEqual([...new Set(two.map(({ port }) => port))], [8080]);
    assert.equal(two[0]!.clientRanges!.length, 1);
  });
});

describe('patience with those who come before their grant', () => {
  it('lasts a while from the first time, and begins anew after a long silence', () => {
    const patience = new NewcomerPatience();
    assert.equal(patience.has('a', 0), true);
    assert.equal(patience.has('a', 9_000), true);
    assert.equal(patience.has('a', 10_000), false);
    assert.equal(patience.has('b', 10_000), true);
    assert.equal(patience.has('a', 69_000), false);
    assert.equal(patience.has('a', 129_000), true);
  });

  it('remembers a bounded number of them', () => {
    const patience = new NewcomerPatience();
    for (let index = 0; index < 5_000; index += 1) patience.has(`stranger ${index}`, 0);
    assert.equal(patience.has('stranger 0', 20_000), true, 'forgotten');
    assert.equal(patience.has('stranger 4999', 20_000), false);
  });
});
