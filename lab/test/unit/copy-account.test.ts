import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyAccount } from '../../src/copy-account.js';

const AT_REST = [
  ['trafficcopy_copy_sessions', 0],
  ['trafficcopy_copy_turns_pending', 0],
  ['trafficcopy_copy_lanes_up', 1],
  ['process_cpu_seconds_total', 3],
] as const;

function account(...samples: readonly (readonly [string, number])[]): string {
  const named = samples.map(([name, value]) => [`trafficcopy_copy_${name}`, value] as const);
  return copyAccount(new Map<string, number>([...AT_REST, ...named]));
}

test('sessions stay open after drops of the capture: the account names the drops as the reason', () => {
  const text = account(['sessions', 55], ['ring_drops_total{interface="any"}', 67_234]);
  assert.match(text, /^55 sessions are open, 0 turns are pending; the capture dropped 67234 packets/);
  assert.doesNotMatch(text, /to close/);
});

test('sessions stay open without a loss: the account says that somebody has not closed', () => {
  assert.match(account(['sessions', 1]), /all turns are settled: the sessions wait for their clients/);
});

test('turns are pending without a channel: the account says so, and does not blame clients', () => {
  const text = account(['sessions', 2], ['turns_pending', 3], ['lanes_up', 0]);
  assert.match(text, /2 sessions are open, 3 turns are pending; no channel to an intercept is up/);
  assert.doesNotMatch(text, /to close/);
});

test('the account lists what is not 0 of the copy alone', () => {
  const text = account(['sessions', 1], ['turns_lost_total{reason="shed"}', 4], ['output_overflows_total', 0]);
  assert.match(text, /\nsessions 1, lanes_up 1, turns_lost_total\{reason="shed"\} 4$/);
  assert.doesNotMatch(text, /output_overflows|process_cpu/);
});
