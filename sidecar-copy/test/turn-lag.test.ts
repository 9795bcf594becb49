import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TurnLag } from '../src/turn-lag.js';

test('everything finished: no lag', () => {
  const lag = new TurnLag();
  assert.equal(lag.sample(1000, 10, 10), 0);
  assert.equal(lag.sample(2000, 500, 500), 0);
});

test('a backlog: the lag is the age of the moment when that many turns had been captured', () => {
  const lag = new TurnLag();
  for (let second = 0; second <= 10; second += 1) lag.sample(second * 1000, second * 100, 0);
  assert.equal(lag.sample(11_000, 1100, 600), 5000);
  assert.equal(lag.sample(12_000, 1100, 1100), 0);
});

test('one session that stands still does not count as a backlog', () => {
  const lag = new TurnLag();
  let measuredMs = 0;
  for (let second = 0; second <= 100; second += 1) {
    measuredMs = lag.sample(second * 1000, second * 100, Math.max(second * 100 - 1, 0));
  }
  assert.equal(measuredMs, 10);
});

test('a lag longer than the history is reported as the history', () => {
  const lag = new TurnLag();
  let measuredMs = 0;
  for (let second = 0; second < 5000; second += 1) measuredMs = lag.sample(second * 1000, second + 1, 0);
  assert.equal(measuredMs, 4095_000);
});
