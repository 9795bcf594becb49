import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ENGINE_LIMITS_DEFAULT } from '@trafficcopy/core';
import { type CopyLoad, ReplayRoom } from '../../src/offline/replay-room.js';

const LIMITS = { ...ENGINE_LIMITS_DEFAULT, sessionsMax: 1000, connectionsMax: 1000 };
const IDLE: CopyLoad = {
  isUp: true,
  isCongested: false,
  sessionsOpen: 0,
  connectionsOpen: 0,
  heldBytes: 0,
  turnsPending: 0,
  turnsCaptured: 0,
  responses: 0,
};

function room(isUnpaced = false): ReplayRoom {
  return new ReplayRoom({ limits: LIMITS, sessionsForEach: 2, packetsMax: 100, isUnpaced });
}

describe('ReplayRoom: reading waits', () => {
  const waits: readonly [string, Partial<CopyLoad>][] = [
    ['while no intercept is there', { isUp: false }],
    ['while a channel is congested', { isCongested: true }],
    ['before one connection could hold more than it may', { heldBytes: 16 * 1024 * 1024 + 1 }],
    ['before there are more sessions than a slice could need', { sessionsOpen: 801, turnsPending: 1 }],
    ['before there are more connections', { connectionsOpen: 901, turnsPending: 1 }],
    ['while very many turns are pending', { turnsPending: 65_537 }],
  ];
  for (const [name, load] of waits) {
    it(name, () => {
      const made = room();
      assert.equal(made.has(IDLE, 0), true);
      assert.equal(made.has({ ...IDLE, ...load }, 0), false);
      assert.equal(made.has({ ...IDLE, ...load }, 60_000), false);
    });
  }

  it('as fast as possible: while as many turns are under way as a target can use', () => {
    assert.equal(room().has({ ...IDLE, turnsPending: 3000 }, 0), true);
    assert.equal(room(true).has({ ...IDLE, turnsPending: 3000 }, 0), false);
    assert.equal(room(true).has({ ...IDLE, turnsPending: 2000 }, 0), true);
  });

  it('not for ever, when it is full of sessions that have nothing to do', () => {
    const made = room();
    const full = { ...IDLE, sessionsOpen: 1000 };
    assert.equal(made.has(full, 0), false);
    assert.equal(made.has(full, 1999), false);
    assert.equal(made.has(full, 2000), true);
    assert.equal(made.has({ ...full, turnsPending: 1 }, 2001), false);
    assert.equal(made.has(full, 2002), false, 'the time begins again');
  });
});
