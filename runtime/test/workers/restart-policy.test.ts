import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RestartPolicy } from '../../src/workers/restart-policy.js';

test('a worker that dies again and again is started ever later, and given up at last', () => {
  const policy = new RestartPolicy();
  const delays = Array.from({ length: 8 }, () => policy.died(100));
  assert.deepEqual(delays, [250, 500, 1000, 2000, 4000, 8000, 15_000, undefined]);
});

test('a worker that lived long begins anew', () => {
  const policy = new RestartPolicy();
  for (let death = 0; death < 7; death += 1) policy.died(0);
  assert.equal(policy.died(30_000), 250);
  assert.equal(policy.deaths, 1);
});
