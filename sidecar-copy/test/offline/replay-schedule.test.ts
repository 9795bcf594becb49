import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ReplaySchedule, type ReplayScheduleOptions } from '../../src/offline/replay-schedule.js';

const START_MS = 5000;
const RECORDED_US = 1_700_000_000_000_000;

function schedule(options: Partial<ReplayScheduleOptions> = {}): ReplaySchedule {
  const made = new ReplaySchedule({ speed: 1, idleMsMax: undefined, rate: undefined, ...options });
  made.beginRun(START_MS);
  return made;
}

/** When packets that were captured at these times (ms) are due, from the start of the run on. */
function dues(made: ReplaySchedule, timesMs: readonly number[], startMs = START_MS): number[] {
  return timesMs.map((timeMs) => made.dueMs(RECORDED_US + timeMs * 1000, true) - startMs);
}

describe('ReplaySchedule', () => {
  it('follows the recorded times from the first packet on', () => {
    assert.deepEqual(dues(schedule(), [100, 100.5, 350, 60_100]), [0, 0.5, 250, 60_000]);
  });

  it('-a 4: four times as fast', () => {
    assert.deepEqual(dues(schedule({ speed: 4 }), [0, 400, 4000]), [0, 100, 1000]);
  });

  it('-a max: everything at once', () => {
    assert.deepEqual(dues(schedule({ speed: Number.POSITIVE_INFINITY }), [0, 400, 9_000_000]), [0, 0, 0]);
  });

  it('-I 100: no pause is longer, shorter ones stay, and what was cut out is known', () => {
    const made = schedule({ idleMsMax: 100 });
    assert.deepEqual(dues(made, [0, 50, 10_050, 10_150, 10_251]), [0, 50, 150, 250, 350]);
    assert.equal(made.skippedMs, 9901);
    assert.equal(made.positionMs(undefined, 0), 350);
  });

  it('-I with -a: the pause is cut in recorded time, then shortened', () => {
    assert.deepEqual(dues(schedule({ idleMsMax: 100, speed: 2 }), [0, 10_000]), [0, 50]);
  });

  it('a stamp that goes back is due at once, and the time that passes is counted once', () => {
    assert.deepEqual(dues(schedule(), [0, 100, 40, 90, 130]), [0, 100, 100, 100, 130]);
  });

  it('-T: another run has the same times from its own start', () => {
    const made = schedule();
    dues(made, [0, 700]);
    made.beginRun(9000);
    assert.deepEqual(dues(made, [0, 700], 9000), [0, 700]);
  });

  it('--rate 10conn/s: connections begin every 100 ms, what belongs to them comes with them', () => {
    const made = schedule({ rate: { of: 'connections', perSecond: 10 } });
    const due = (begins: boolean): number => made.dueMs(RECORDED_US, begins) - START_MS;
    assert.deepEqual([due(true), due(false), due(true), due(false), due(true)], [0, 0, 100, 100, 200]);
  });

  it('--rate 100req/s: the hundredth request is due after a second, whatever was recorded', () => {
    const made = schedule({ rate: { of: 'requests', perSecond: 100 } });
    assert.deepEqual(dues(made, [0, 5000]), [0, 0]);
    assert.deepEqual([made.requestDueMs(0) - START_MS, made.requestDueMs(100) - START_MS], [0, 1000]);
  });
});
