import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QuietMemory } from '../src/quiet-memory.js';

const MIB = 2 ** 20;

function rig(leftMib: number) {
  const state = { heldBytes: 0, residentMib: 100, given: 0, collections: 0 };
  const memory = new QuietMemory({
    engine: {
      get heldBytes() {
        return state.heldBytes;
      },
      giveBackMemory: () => {
        state.given += 1;
        return true;
      },
    },
    residentBytes: () => state.residentMib * MIB,
    collect: () => {
      state.collections += 1;
      state.residentMib = Math.min(state.residentMib, leftMib);
    },
  });
  return { state, memory };
}

test('a copy without bursts is left alone', () => {
  const { state, memory } = rig(100);
  for (const residentMib of [120, 100, 150, 110, 160]) {
    state.residentMib = residentMib;
    memory.tick();
  }
  assert.deepEqual([state.collections, state.given], [0, 0]);
});

test('after a burst memory is given back, once nothing waits, and not again', () => {
  const { state, memory } = rig(100);
  memory.tick();
  state.residentMib = 400;
  state.heldBytes = 1;
  memory.tick();
  assert.equal(state.collections, 0, 'something waits');
  state.heldBytes = 0;
  for (let ticks = 0; ticks < 4; ticks += 1) memory.tick();
  assert.deepEqual([state.collections, state.given], [1, 1]);
});

test('memory that is in use is not looked through each time', () => {
  const { state, memory } = rig(380);
  memory.tick();
  state.residentMib = 400;
  for (let ticks = 0; ticks < 4; ticks += 1) memory.tick();
  assert.equal(state.collections, 1);
  state.residentMib = 500;
  memory.tick();
  assert.equal(state.collections, 2, 'the next burst');
});
