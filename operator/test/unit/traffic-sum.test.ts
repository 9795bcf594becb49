import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CopyReport } from '@trafficcopy/core';
import { ReportBudget } from '../../src/hub/report-budget.js';
import { TrafficSum } from '../../src/hub/traffic-sum.js';
import { COPY_REPORT } from '../kit/copy-report.js';

function report(change: Partial<CopyReport>): CopyReport {
  return { ...COPY_REPORT, ...change };
}

test('figures of all copies are summed, and losses are sorted, the largest first', () => {
  const sum = new TrafficSum();
  sum.add(
    'a',
    undefined,
    report({ connectionsSeen: 3, turnsCaptured: 10, turnsDelivered: 9, turnsLost: { shed: 1 } }),
    0,
  );
  const second = { turnsCaptured: 90, turnsDelivered: 85, turnsPending: 1, turnsLost: { noResponse: 3, shed: 1 } };
  sum.add('b', undefined, report({ connectionsSeen: 4, sessionsOpen: 2, ...second }), 0);
  const traffic = sum.read(0);
  assert.equal(traffic.connections, 7);
  assert.equal(traffic.sessionsOpen, 2);
  assert.equal(traffic.turnsCaptured, 100);
  assert.equal(traffic.turnsDelivered + traffic.turnsLost + traffic.turnsPending, 100);
  assert.equal(traffic.lostPercent, '5.05');
  assert.deepEqual(traffic.losses, [
    { reason: 'noResponse', turns: 3 },
    { reason: 'shed', turns: 2 },
  ]);
});

test('nothing is 0 percent, and what is hardly anything is not nothing', () => {
  assert.equal(new TrafficSum().read(0).lostPercent, '0');
  const sum = new TrafficSum();
  sum.add('a', undefined, report({ turnsDelivered: 10_000_000, turnsLost: { shed: 1 } }), 0);
  assert.equal(sum.read(0).lostPercent, '0.01');
});

test('the figures of a process that ended stay, and its pending turns are lost', () => {
  const sum = new TrafficSum();
  sum.add('a', undefined, report({ elapsedMs: 60_000, turnsCaptured: 100, turnsDelivered: 98, turnsPending: 2 }), 0);
  sum.add('a', undefined, report({ elapsedMs: 500, turnsCaptured: 4, turnsDelivered: 4 }), 1000);
  const traffic = sum.read(1000);
  assert.equal(traffic.turnsCaptured, 104);
  assert.equal(traffic.turnsDelivered, 102);
  assert.equal(traffic.turnsPending, 0);
  assert.deepEqual(traffic.losses, [{ reason: 'interrupted', turns: 2 }]);
});

test('a process that names itself differently is another one, however its figures look', () => {
  const sum = new TrafficSum();
  sum.add('a', 'instance:1', report({ elapsedMs: 100, turnsCaptured: 2, turnsDelivered: 2 }), 0);
  sum.add('a', 'instance:2', report({ elapsedMs: 900, turnsCaptured: 5, turnsDelivered: 5 }), 1000);
  assert.equal(sum.read(1000).turnsDelivered, 7);
  sum.add('a', 'instance:2', report({ elapsedMs: 1900, turnsCaptured: 6, turnsDelivered: 6 }), 2000);
  assert.equal(sum.read(2000).turnsDelivered, 8);
});

test('the rate is that of the last seconds, and begins at 0 whatever was before', () => {
  const sum = new TrafficSum();
  sum.add('a', undefined, report({ elapsedMs: 1, turnsDelivered: 1_000_000 }), 0);
  assert.equal(sum.read(0).turnsPerSecond, 0);
  for (let second = 1; second <= 20; second += 1) {
    const turnsDelivered = 1_000_000 + (second <= 10 ? 100 * second : 1000 + 300 * (second - 10));
    sum.add('a', undefined, report({ elapsedMs: 1000 * second, turnsDelivered }), 1000 * second);
  }
  assert.equal(sum.read(20_000).turnsPerSecond, 300);
});

test('a copy that is silent counts neither for the rate nor among open sessions', () => {
  const sum = new TrafficSum();
  for (const second of [0, 1, 2]) {
    const change = { elapsedMs: 1000 * second, sessionsOpen: 5, turnsDelivered: 10 * second };
    sum.add('a', undefined, report(change), 1000 * second);
  }
  assert.equal(sum.read(2000).sessionsOpen, 5);
  assert.equal(sum.read(20_000).sessionsOpen, 0);
  assert.equal(sum.read(20_000).turnsPerSecond, 0);
  assert.equal(sum.read(20_000).turnsDelivered, 20);
});

test('copies that are gone for good leave their figures and nothing else', () => {
  const sum = new TrafficSum();
  sum.add('a', undefined, report({ turnsDelivered: 5, turnsPending: 1 }), 0);
  sum.sweep(3_600_000);
  const traffic = sum.read(3_600_000);
  assert.deepEqual([traffic.turnsDelivered, traffic.turnsPending, traffic.turnsLost], [5, 0, 1]);
});

test('made-up reasons and counts stay within bounds', () => {
  const sum = new TrafficSum();
  for (let round = 0; round < 20; round += 1) {
    const turnsLost = Object.fromEntries(Array.from({ length: 64 }, (_, index) => [`r${round}x${index}`, 2 ** 53 - 1]));
    sum.add(`pod-${round}`, undefined, report({ turnsLost, turnsDelivered: 2 ** 53 - 1 }), 0);
  }
  const { losses, turnsDelivered, turnsLost } = sum.read(0);
  assert.ok(losses.length <= 65);
  assert.equal(turnsDelivered, Number.MAX_SAFE_INTEGER);
  assert.equal(turnsLost, Number.MAX_SAFE_INTEGER);
});

test('a budget lets a report a second through for ever, and a flood only in part', () => {
  const budget = new ReportBudget(0);
  for (let second = 1; second < 1000; second += 1) assert.ok(budget.take(100_000, 1000 * second));
  const taken = Array.from({ length: 1000 }, () => budget.take(1000, 1_000_000)).filter(Boolean).length;
  assert.ok(taken <= 10);
  assert.equal(new ReportBudget(0).take(3 * 1024 * 1024, 0), false);
});
