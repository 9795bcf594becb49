import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SHARE_PPM_MAX } from '@trafficcopy/core';
import { SafetyBudget } from '../src/safety-budget.js';

const MB = 1024 * 1024;
const CPU_50 = { cpuPercentMax: 50, memoryBytesMax: 0 };
const MEMORY_100 = { cpuPercentMax: 0, memoryBytesMax: 100 * MB };

/** The share in percent after each second in which so much CPU (percent) and memory (MB) was used. */
function sharesOf(limits: typeof CPU_50, seconds: readonly (readonly [number, number])[]): number[] {
  const budget = new SafetyBudget(limits);
  return seconds.map(([cpuPercent, memoryMb], second) => {
    budget.update({ cpuPercent, rssBytes: memoryMb * MB }, second * 1000);
    return Math.round(budget.sharePpm / 100) / 100;
  });
}

describe('the share of new connections', () => {
  const tables: readonly [string, typeof CPU_50, [number, number][], number[]][] = [
    ['is whole without limits, whatever is used', { cpuPercentMax: 0, memoryBytesMax: 0 }, [[900, 9e6]], [100]],
    [
      'is whole up to the budget',
      CPU_50,
      [
        [50, 0],
        [50, 0],
      ],
      [100, 100],
    ],
    ['is lowered in proportion, to nine tenths of the budget', CPU_50, [[100, 0]], [45]],
    [
      'waits until the last step shows',
      CPU_50,
      [
        [100, 0],
        [100, 0],
        [100, 0],
      ],
      [45, 45, 20.25],
    ],
    [
      'is not lowered for one second in which garbage was collected',
      CPU_50,
      [
        [40, 0],
        [58, 0],
        [40, 0],
      ],
      [100, 100, 100],
    ],
    [
      'falls to none where the program alone is beyond the budget',
      CPU_50,
      Array(7).fill([5000, 0]),
      [5, 5, 0.25, 0.25, 0, 0, 0],
    ],
    [
      'stays between four fifths of the budget and all of it',
      CPU_50,
      [
        [100, 0],
        [45, 0],
        [45, 0],
        [45, 0],
        [45, 0],
        [45, 0],
      ],
      [45, 45, 45, 45, 45, 45],
    ],
    [
      'rises two seconds after the last step, to nine tenths at most',
      CPU_50,
      [
        [100, 0],
        [25, 0],
        [25, 0],
        [25, 0],
      ],
      [45, 45, 81, 81],
    ],
    [
      'rises by four times at most',
      CPU_50,
      [
        [5000, 0],
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 0],
      ],
      [5, 5, 20, 20, 80, 80],
    ],
    [
      'rises from none',
      CPU_50,
      [...Array(5).fill([5000, 0]), ...Array(5).fill([0, 0])],
      [5, 5, 0.25, 0.25, 0, 0, 0.1, 0.1, 0.4, 0.4],
    ],
    [
      'is lowered for memory, which is given six seconds',
      MEMORY_100,
      [[0, 120], ...Array(5).fill([0, 110]), [0, 110]],
      [75, 75, 75, 75, 75, 75, 61.36],
    ],
    ['follows the tighter of two limits', { ...CPU_50, memoryBytesMax: 100 * MB }, [[60, 180]], [50]],
  ];
  for (const [name, limits, seconds, shares] of tables) {
    it(name, () => assert.deepEqual(sharesOf(limits, seconds), shares));
  }
});

describe('running sessions', () => {
  function partsOf(limits: typeof CPU_50, cpuPercent: number, memoryMb: number, seconds: number): number[] {
    const budget = new SafetyBudget(limits);
    return Array.from({ length: seconds }, (_, second) => {
      return Math.round(100 * budget.update({ cpuPercent, rssBytes: memoryMb * MB }, second * 1000));
    });
  }

  it('go on while the program is within its budget', () => {
    assert.deepEqual(partsOf(CPU_50, 50, 0, 10), Array(10).fill(0));
  });

  it('end when it is far beyond the budget after the first step, as many as it is too much, and then again', () => {
    assert.deepEqual(partsOf(CPU_50, 100, 0, 6), [0, 0, 55, 0, 55, 0]);
  });

  it('end when it is a little beyond the budget for six seconds', () => {
    assert.deepEqual(partsOf(CPU_50, 60, 0, 8), [0, 0, 0, 0, 0, 0, 25, 0]);
  });

  it('end for memory every six seconds: it is free only when the garbage was collected', () => {
    assert.deepEqual(partsOf(MEMORY_100, 0, 180, 13), [0, 0, 0, 0, 0, 0, 50, 0, 0, 0, 0, 0, 50]);
  });
});

/** A copy under load: sessions come, last, cost CPU, and are left out or ended as the budget says. */
class Plant {
  readonly budget = new SafetyBudget(CPU_50);
  readonly cpu: number[] = [];
  readonly shares: number[] = [];
  readonly #costPercent: number;
  readonly #lifeSeconds: number;
  readonly #basePercent: number;
  readonly #noise: number;
  /** By the second in which they began. */
  #sessions: number[] = [];
  #random = 1;

  /** @param costPercent of one session; @param noise share by which a second may differ */
  constructor(costPercent: number, lifeSeconds: number, basePercent = 2, noise = 0) {
    this.#costPercent = costPercent;
    this.#lifeSeconds = lifeSeconds;
    this.#basePercent = basePercent;
    this.#noise = noise;
  }

  run(seconds: number, newPerSecond: number): void {
    for (let second = 0; second < seconds; second += 1) {
      this.#sessions.push((newPerSecond * this.budget.sharePpm) / SHARE_PPM_MAX);
      if (this.#sessions.length > this.#lifeSeconds) this.#sessions.shift();
      const open = this.#sessions.reduce((sum, count) => sum + count, 0);
      this.#random = (this.#random * 48271) % 2147483647;
      const noise = 1 + this.#noise * (this.#random / 1073741823.5 - 1);
      const cpuPercent = (this.#basePercent + open * this.#costPercent) * noise;
      this.cpu.push(cpuPercent);
      const part = this.budget.update({ cpuPercent, rssBytes: 0 }, this.cpu.length * 1000);
      this.#endNewest(open * part);
      this.shares.push(this.budget.sharePpm);
    }
  }

  #endNewest(count: number): void {
    let left = count;
    for (let at = this.#sessions.length - 1; at >= 0 && left > 0; at -= 1) {
      const ended = Math.min(left, this.#sessions[at]!);
      this.#sessions[at]! -= ended;
      left -= ended;
    }
  }

  /** Mean use of the last seconds, percent. */
  meanCpu(seconds: number): number {
    return this.cpu.slice(-seconds).reduce((sum, value) => sum + value, 0) / seconds;
  }

  /** How often the share began to go the other way, in the last seconds. */
  turns(seconds: number): number {
    const steps = this.shares
      .slice(-seconds)
      .flatMap((share, index, all) => Math.sign(share - (all[index - 1] ?? share)) || []);
    return steps.filter((step, index) => index > 0 && step !== steps[index - 1]).length;
  }
}

describe('a copy under load, simulated', () => {
  const plants: readonly [string, () => Plant, number][] = [
    ['connections of a second', () => new Plant(0.1, 1), 2000],
    ['connections of a second, use that varies by a tenth', () => new Plant(0.1, 1, 2, 0.1), 2000],
    ['connections of twenty seconds', () => new Plant(0.1, 20), 100],
    ['connections of twenty seconds, use that varies by a tenth', () => new Plant(0.1, 20, 2, 0.1), 100],
    ['connections of ten minutes', () => new Plant(0.1, 600), 40],
    ['a little too many', () => new Plant(0.1, 1), 600],
    ['a program that takes half of the budget by itself', () => new Plant(0.1, 1, 25), 2000],
  ];
  for (const [name, make, newPerSecond] of plants) {
    it(`${name}: comes within the budget, uses it, stays there without swinging, and comes back`, () => {
      const plant = make();
      plant.run(300, newPerSecond);
      const mean = plant.meanCpu(120);
      assert.ok(mean <= 50, `${mean} % is beyond the budget of 50 %`);
      assert.ok(mean >= 25, `${mean} % leaves half of the budget unused`);
      const tooMuch = plant.cpu.slice(-120).filter((cpu) => cpu > 50 * 1.25).length;
      assert.equal(tooMuch, 0, 'no second far beyond the budget once it has settled');
      assert.ok(plant.turns(200) <= 6, `the share turned ${plant.turns(200)} times in 200 s`);
      plant.run(700, 1);
      assert.equal(plant.budget.sharePpm, SHARE_PPM_MAX, 'all is copied when the load is gone');
      assert.equal(plant.turns(60), 0);
    });
  }
});
