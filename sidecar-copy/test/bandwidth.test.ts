import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bandwidth } from '../src/bandwidth.js';

test('no limit: sessions may always begin', () => {
  const bandwidth = new Bandwidth(0);
  bandwidth.take(1e12, 1);
  assert.equal(bandwidth.waitMs(1), 0);
});

test('a second of octets may go at once; beyond it the wait is what the rest takes', () => {
  const bandwidth = new Bandwidth(0);
  bandwidth.setLimit(1000, 0);
  bandwidth.take(1000, 0);
  assert.equal(bandwidth.waitMs(0), 0);
  bandwidth.take(500, 0);
  assert.equal(bandwidth.waitMs(0), 500);
  assert.equal(bandwidth.waitMs(400), 100);
  assert.equal(bandwidth.waitMs(500), 0);
});

test('what was not used is kept for a second and no longer', () => {
  const bandwidth = new Bandwidth(0);
  bandwidth.setLimit(1000, 0);
  bandwidth.take(3000, 60_000);
  assert.equal(bandwidth.waitMs(60_000), 2000);
});

test('a limit that changes: a debt stays and is paid at the new rate; without a limit it is forgotten', () => {
  const bandwidth = new Bandwidth(0);
  bandwidth.setLimit(1000, 0);
  bandwidth.take(2000, 0);
  bandwidth.setLimit(100, 0);
  assert.equal(bandwidth.waitMs(0), 10_000);
  bandwidth.setLimit(0, 0);
  assert.equal(bandwidth.waitMs(0), 0);
  bandwidth.setLimit(100, 0);
  assert.equal(bandwidth.waitMs(0), 0);
});
