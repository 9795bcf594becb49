import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DropAlarm } from '../../src/capture/drop-alarm.js';

test('a burst of drops is told once when it begins and once when it is over', () => {
  const alarm = new DropAlarm(5);
  assert.equal(alarm.check(0, 5).event, 'none');
  assert.deepEqual(alarm.check(1000, 8), { event: 'begins', packets: 3 });
  assert.equal(alarm.check(2000, 20).event, 'none');
  assert.equal(alarm.check(9000, 20).event, 'none');
  assert.equal(alarm.check(11_000, 25).event, 'none');
  assert.deepEqual(alarm.check(21_000, 25), { event: 'ends', packets: 20 });
  assert.equal(alarm.check(60_000, 25).event, 'none');
  assert.deepEqual(alarm.check(61_000, 26), { event: 'begins', packets: 1 });
});
