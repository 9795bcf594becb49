import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QuietMemory } from '../src/quiet-memory.js';

const MIB = 2 ** 20;

function rig() {
  const state = { heldBytes: 0, hasTouched: false, heapBytes: 20 * MIB, collections: 0 };
  const memory = new QuietMemory({
    engine: {
      get heldBytes() {
        return state.heldBytes;
      },
      giveBackMemory: () => state.hasTouched,
    },
    heapBytes: () => state.heapBytes,
    collect: () => {
      state.collections += 1;
      state.heapBytes = 20 * MIB;
    },
  });
  return { state, memory };
}

test('a quiet copy is left alone', () => {
  const { state, memory } = rig();
  for (const heapMib of [20, 25, 30, 40]) {
    state.heapBytes = heapMib * MIB;
    memory.tick();
  }
  assert.equal(state.collections, 0);
});

test('after a burst the heap is collected, once nothing waits, and not again', () => {
  const { state, memory } = rig();
  memory.tick();
  state.heapBytes = 200 * MIB;
  state.heldBytes = 1;
  memory.tick();
  assert.equal(state.collections, 0, 'something waits');
  state.heldBytes = 0;
  memory.tick();
  assert.equal(state.collections, 1);
  memory.tick();
  memory.tick();
  assert.equal(state.collections, 1);
});

test('a heap that lives is not collected each time', () => {
  const { state, memory } = rig();
  memory.tick();
  state.heapBytes = 100 * MIB;
  memory.tick();
  assert.equal(state.collections, 1);
  // All of it was in use.
  for (const heapMib of [100, 110, 105]) {
    state.heapBytes = heapMib * MIB;
    memory.tick();
  }
  assert.equal(state.collections, 1);
});

test('payload memory that is given back is collected with it', () => {
  const { state, memory } = rig();
  state.hasTouched = true;
  memory.tick();
  assert.equal(state.collections, 1);
});
