import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIpAddress } from '@trafficcopy/core';
import { secretCommand, validityText } from '../../src/channel/secret-command.js';

const CONFIG = { targets: [], port: 36524, bindAddress: undefined, tokenTtlMs: 30 * 86_400_000 };

describe('what is printed with a reusable token', () => {
  it('makes the Secret, and names it in the target', () => {
    assert.deepEqual(secretCommand(CONFIG, 'tc1.a.b', '10.16.12.11').split('\n'), [
      'Any number of copies may join with this token within 30 days. Put it where the TrafficCopy is:',
      '  kubectl -n NAMESPACE create secret generic intercept-10-16-12-11 --from-literal=token=tc1.a.b',
      'and name it in the target of the TrafficCopy:',
      '  address: "10.16.12.11"',
      '  intercept: "10.16.12.11:36524"',
      '  interceptTokenSecret: {name: intercept-10-16-12-11}',
      '',
    ]);
  });

  it('an intercept that listens on another address than its target, over IPv6', () => {
    const target = { address: parseIpAddress('10.1.1.1')!, port: 80 };
    const text = secretCommand({ ...CONFIG, targets: [target], bindAddress: parseIpAddress('fd00::1')! }, 'tc1.a.b');
    assert.match(text, /create secret generic intercept-fd00-1 /);
    assert.match(text, /address: "10\.1\.1\.1"/);
    assert.match(text, /intercept: "\[fd00::1\]:36524"/);
  });

  it('says how long in a word that fits', () => {
    const minuteMs = 60_000;
    assert.deepEqual(
      [90, 120, 71 * 60, 72 * 60].map((minutes) => validityText(minutes * minuteMs)),
      ['90 minutes', '2 hours', '71 hours', '3 days'],
    );
  });
});
