import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { InterceptPodSettings } from '@trafficcopy/core';
import { Contributions } from '../../src/traffic-copy/contributions.js';

function granted(uid: string, owner: string): InterceptPodSettings {
  return { uid, name: `shop/${uid}`, addresses: ['10.0.0.1'], grants: [{ owner, ports: [80], clientRanges: [] }] };
}

function on(node: string, ...pods: InterceptPodSettings[]) {
  return { nodes: new Map([[node, pods]]), webhook: undefined };
}

const WISH = { uid: 'one', namespace: 'shop', name: 'a', selector: { matchLabels: { app: 'a' } } };

describe('contributions', () => {
  it('two TrafficCopies with one target pod: one pod with two grants, in an order of its own', () => {
    const contributions = new Contributions();
    contributions.set('two', on('n', granted('p', 'shop/two')));
    contributions.set('one', on('n', granted('p', 'shop/one')));
    const [pod, ...others] = contributions.podsOn('n');
    assert.deepEqual(others, []);
    assert.deepEqual(
      pod?.grants.map(({ owner }) => owner),
      ['shop/one', 'shop/two'],
    );
  });

  it('tells which nodes are concerned: where pods came, went or changed', () => {
    const contributions = new Contributions();
    assert.deepEqual(contributions.set('one', on('a', granted('p', 'x'))).nodes, ['a']);
    assert.deepEqual(contributions.set('one', on('a', granted('p', 'x'))).nodes, []);
    assert.deepEqual(contributions.set('one', on('b', granted('p', 'x'))).nodes, ['a', 'b']);
    assert.deepEqual(contributions.delete('one').nodes, ['b']);
    assert.deepEqual(contributions.podsOn('b'), []);
  });

  it('tells when the webhook changes', () => {
    const contributions = new Contributions();
    assert.equal(contributions.set('one', { nodes: new Map(), webhook: WISH }).webhook, true);
    assert.equal(contributions.set('one', { nodes: new Map(), webhook: { ...WISH } }).webhook, false);
    assert.deepEqual(contributions.webhooks(), [WISH]);
    assert.equal(contributions.delete('one').webhook, true);
  });

  it('knows whether a pod is granted by another', () => {
    const contributions = new Contributions();
    contributions.set('one', on('a', granted('p', 'x')));
    assert.equal(contributions.isGrantedByAnother('one', 'p'), false);
    assert.equal(contributions.isGrantedByAnother('two', 'p'), true);
  });
});
