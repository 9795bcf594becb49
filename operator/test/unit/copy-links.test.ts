import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CopyLinks } from '../../src/hub/copy-links.js';
import { SHOP } from '../kit/hub-rig.js';

test('pods that come and go leave nothing behind', () => {
  const links = new CopyLinks(() => 0);
  const known = (uid: string): boolean => uid === SHOP.uid;
  for (let pod = 0; pod < 100; pod += 1) links.stop(`pod-${pod}`, SHOP.uid, 'no source any more');
  links.sweep(known);
  assert.equal(links.size, 100, 'what is asked for is kept');
  for (let pod = 0; pod < 100; pod += 1) links.setSettings(`pod-${pod}`, SHOP.uid, undefined);
  links.setSettings('never heard of', SHOP.uid, undefined);
  links.sweep(known);
  assert.equal(links.size, 0);
});

test('what is asked for a TrafficCopy that is gone is forgotten', () => {
  const links = new CopyLinks(() => 0);
  links.stop('pod', SHOP.uid, 'over');
  links.stopAll(SHOP.uid, 'over');
  links.sweep(() => false);
  assert.equal(links.size, 0);
});
