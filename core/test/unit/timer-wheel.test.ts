import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { TICK_MS, TimerWheel } from '../../src/flow/timer-wheel.js';

/** As documented: beyond it wake-ups come early, and owners arm again. */
const HORIZON_MS = 8190 * TICK_MS;

function expired(wheel: TimerWheel, nowMs: number): number[] {
  const woken: number[] = [];
  wheel.expire(nowMs, (id) => woken.push(id));
  return woken;
}

describe('the timer wheel', () => {
  it('wakes each id once, not early and no later than a tick', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('arm' as const), id: fc.nat(19), afterMs: fc.nat(HORIZON_MS - 10) }),
      fc.record({ kind: fc.constant('cancel' as const), id: fc.nat(19), afterMs: fc.constant(0) }),
      fc.record({ kind: fc.constant('pass' as const), id: fc.constant(0), afterMs: fc.nat(20_000) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.nat(100_000), (steps, startMs) => {
        const wheel = new TimerWheel(20, startMs);
        const model = new Map<number, number>();
        let nowMs = startMs;
        for (const { kind, id, afterMs } of steps) {
          if (kind === 'arm') {
            const atMs = nowMs + afterMs;
            wheel.arm(id, atMs);
            model.set(id, Math.min(model.get(id) ?? Number.POSITIVE_INFINITY, atMs));
          } else if (kind === 'cancel') {
            wheel.cancel(id);
            model.delete(id);
          } else {
            const nextMs = wheel.nextDeadlineMs();
            nowMs += afterMs;
            const woken = expired(wheel, nowMs);
            if (woken.length > 0) assert.ok(nextMs <= nowMs, 'the deadline was told');
            for (const wokenId of woken) {
              const atMs = model.get(wokenId);
              assert.ok(atMs !== undefined && atMs <= nowMs, 'not early, once');
              model.delete(wokenId);
            }
            for (const atMs of model.values()) assert.ok(atMs > nowMs - 2 * TICK_MS, 'not late');
          }
          const first = Math.min(...model.values());
          const nextMs = wheel.nextDeadlineMs();
          if (model.size === 0) assert.equal(nextMs, Number.POSITIVE_INFINITY);
          else assert.ok(nextMs <= Math.max(first, nowMs) + 2 * TICK_MS, 'the deadline is not late');
        }
      }),
      { numRuns: 300 },
    );
  });

  it('keeps an earlier wake-up when a later one is armed, and takes an earlier one', () => {
    const wheel = new TimerWheel(2, 0);
    wheel.arm(0, 100);
    wheel.arm(0, 500);
    assert.equal(wheel.nextDeadlineMs(), 100);
    wheel.arm(0, 50);
    assert.equal(wheel.nextDeadlineMs(), 50);
    assert.deepEqual(expired(wheel, 50), [0]);
    assert.equal(wheel.nextDeadlineMs(), Number.POSITIVE_INFINITY);
  });

  it('wakes at the horizon what lies beyond it', () => {
    const wheel = new TimerWheel(1, 0);
    wheel.arm(0, 10 * HORIZON_MS);
    assert.equal(wheel.nextDeadlineMs(), HORIZON_MS);
    assert.deepEqual(expired(wheel, HORIZON_MS), [0]);
  });

  it('lets a wake-up arm and cancel, itself too, without end', () => {
    const wheel = new TimerWheel(3, 0);
    for (let id = 0; id < 3; id += 1) wheel.arm(id, 10);
    const woken: number[] = [];
    wheel.expire(10, (id) => {
      woken.push(id);
      wheel.arm(id, 0);
      for (let other = 0; other < 3; other += 1) if (other !== id) wheel.cancel(other);
    });
    assert.equal(woken.length, 1);
    assert.deepEqual(expired(wheel, 12), woken);
  });

  it('does nothing when the clock jumps back, and goes on from there', () => {
    const wheel = new TimerWheel(1, 10_000);
    wheel.arm(0, 10_100);
    assert.deepEqual(expired(wheel, 500), []);
    assert.deepEqual(expired(wheel, 10_098), []);
    assert.deepEqual(expired(wheel, 10_100), [0]);
  });

  it('wakes everything once when the clock jumps far ahead', () => {
    const wheel = new TimerWheel(100, 0);
    for (let id = 0; id < 100; id += 1) wheel.arm(id, id * 150);
    const woken: number[] = [];
    wheel.expire(1e9, (id) => {
      woken.push(id);
      wheel.arm(id, 1e9 + 1000);
    });
    assert.deepEqual(new Set(woken).size, 100);
    assert.deepEqual(expired(wheel, 1e9 + 1002).length, 100);
  });

  it('works with a clock of many years', () => {
    const startMs = 2e12;
    const wheel = new TimerWheel(1, startMs);
    wheel.arm(0, startMs + 7);
    assert.deepEqual(expired(wheel, startMs + 6), []);
    assert.deepEqual(expired(wheel, startMs + 8), [0]);
  });
});
