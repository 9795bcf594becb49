import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../src/index.js';

test('a condition that holds later is waited for', async () => {
  let asked = 0;
  assert.equal(await eventually('three', 5_000, () => (++asked === 3 ? asked : undefined)), 3);
});

test('a condition that never holds ends with a message that names it and the last error of the probe', async () => {
  const probe = (): never => {
    throw new Error('not there');
  };
  await assert.rejects(eventually('the thing', 30, probe), {
    code: 'ERR_LAB_DEADLINE',
    message: /the thing: not there/,
  });
});

test('a condition that never holds: what there is instead stands in the message', async () => {
  const instead = eventually(
    'the thing',
    30,
    () => false,
    async () => 'two other things',
  );
  await assert.rejects(instead, { code: 'ERR_LAB_DEADLINE', message: /the thing\ntwo other things$/ });
});
