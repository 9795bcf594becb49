import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { QuietMemory } from '../../src/process/quiet-memory.js';

const MIB = 2 ** 20;
/** Checks until what the start took has gone. */
const START_CHECKS = 3;

/** `leftMib`: what collecting leaves of the memory. */
function rig(leftMib: number) {
  const state = { isBusy: false, residentMib: 100, collections: 0, freed: 0, givenBack: 0 };
  const memory = new QuietMemory({
    residentBytes: () => state.residentMib * MIB,
    isBusy: () => state.isBusy,
    freeSpare: () => {
      state.freed += 1;
    },
    collect: () => {
      state.collections += 1;
      state.residentMib = Math.min(state.residentMib, leftMib);
    },
    giveBackUnused: () => {
      state.givenBack += 1;
    },
  });
  const check = (times = 1): void => {
    for (let checks = 0; checks < times; checks += 1) memory.check();
  };
  /** Since the start. */
  const sinceStart = (): number[] => [state.collections - 1, state.freed, state.givenBack - 1];
  return { state, memory, check, sinceStart };
}

describe('what starting took', () => {
  it('is collected once, and then what is unused goes back', () => {
    const { state, check } = rig(80);
    check(START_CHECKS - 1);
    assert.deepEqual([state.collections, state.givenBack], [1, 0], 'collecting goes on');
    check();
    assert.deepEqual([state.collections, state.givenBack], [1, 1]);
    check(10);
    assert.deepEqual([state.collections, state.freed, state.givenBack], [1, 0, 1]);
  });

  it('goes under load as well', () => {
    const { state, check } = rig(80);
    state.isBusy = true;
    check(START_CHECKS);
    assert.deepEqual([state.collections, state.givenBack], [1, 1]);
  });
});

describe('a running program', () => {
  it('without bursts is left alone', () => {
    const { state, check, sinceStart } = rig(100);
    check(START_CHECKS);
    for (const residentMib of [120, 100, 150, 110, 160]) {
      state.residentMib = residentMib;
      check();
    }
    assert.deepEqual(sinceStart(), [0, 0, 0]);
  });

  it('after a burst gives memory back, once nothing waits, and not again', () => {
    const { state, check, sinceStart } = rig(100);
    check(START_CHECKS + 1);
    state.residentMib = 400;
    state.isBusy = true;
    check();
    assert.deepEqual(sinceStart(), [0, 0, 0], 'something waits');
    state.isBusy = false;
    check(4);
    assert.deepEqual(sinceStart(), [1, 1, 1]);
  });

  it('gives back what a burst took that began before what starting took was gone', () => {
    const { state, memory, check, sinceStart } = rig(400);
    memory.start();
    memory.stop();
    state.residentMib = 400;
    state.isBusy = true;
    check(5);
    assert.deepEqual(sinceStart(), [0, 0, 0]);
    state.isBusy = false;
    check(4);
    assert.deepEqual(sinceStart(), [1, 1, 1]);
  });

  it('is not looked through each time when its memory is in use', () => {
    const { state, check, sinceStart } = rig(380);
    check(START_CHECKS + 1);
    state.residentMib = 400;
    check(5);
    assert.deepEqual(sinceStart(), [1, 1, 1]);
    state.residentMib = 500;
    check(2);
    assert.deepEqual(sinceStart(), [2, 2, 2], 'the next burst');
  });
});
