import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createEngineCounters, type EngineCounters } from '@trafficcopy/core';
import { type CopyFigures, noFigures } from '../../src/copy-figures.js';
import { shareOf } from '../../src/workers/copy-share.js';
import { closedFigures, copyTotals } from '../../src/workers/copy-totals.js';

function figures(engine: Partial<EngineCounters>, rest: Partial<CopyFigures> = {}): CopyFigures {
  return { ...noFigures(), engine: { ...createEngineCounters(), ...engine }, ...rest };
}

const lane = (isUp: boolean, connects: number): CopyFigures['lanes'][number] => ({
  name: '10.0.0.3:36524',
  isUp,
  isCongested: false,
  queuedBytes: 10,
  framesDropped: 1,
  counters: { connects, losses: 0, headersFrames: 5, framesMalformed: 0, congestions: 0 },
  sink: { packets: 7, bytes: 700, packetsRefused: 0, packetsWithoutChannel: 0, packetsFailed: 0 },
});

describe('the sums of the workers of a copy', () => {
  it('counts add up, by reason too; of a device and a channel there is one, as bad as its worst', () => {
    const zero = createEngineCounters();
    const one = figures(
      { turnsCaptured: 10, turnsDelivered: 9, turnsLost: { ...zero.turnsLost, shed: 1 } },
      {
        sessionsOpen: 2,
        lagMs: 3,
        lanes: [lane(true, 1)],
        sources: [{ name: 'any', packets: 4, drops: 1, freezes: 0, interfaceState: 'up' }],
      },
    );
    const other = figures(
      { turnsCaptured: 5, turnsDelivered: 3, turnsLost: { ...zero.turnsLost, shed: 2 } },
      {
        sessionsOpen: 3,
        lagMs: 8,
        lanes: [lane(false, 2)],
        sources: [{ name: 'any', packets: 6, drops: 0, freezes: 2, interfaceState: 'down' }],
      },
    );
    const totals = copyTotals([one, other]);
    assert.equal(totals.engine.turnsCaptured, 15);
    assert.equal(totals.engine.turnsLost.shed, 3);
    assert.equal(totals.sessionsOpen, 5);
    assert.equal(totals.lagMs, 8);
    assert.deepEqual(totals.sources, [{ name: 'any', packets: 10, drops: 1, freezes: 2, interfaceState: 'down' }]);
    assert.equal(totals.lanes.length, 1);
    assert.equal(totals.lanes[0]!.isUp, false);
    assert.equal(totals.lanes[0]!.counters.connects, 3);
    assert.equal(totals.lanes[0]!.sink.packets, 14);
    assert.equal(totals.cpuUserUs, one.cpuUserUs + other.cpuUserUs);
  });

  it('the ledger of a worker that died is closed: what was open is interrupted, and the sums still hold', () => {
    const zero = createEngineCounters();
    const last = figures(
      {
        turnsCaptured: 10,
        turnsDelivered: 6,
        turnsPending: 3,
        turnsLost: { ...zero.turnsLost, shed: 1 },
        sessionsStarted: 5,
        terminal: { ...zero.terminal, copied: 3 },
      },
      { sessionsOpen: 2, lanes: [lane(false, 1)] },
    );
    const { engine, sessionsOpen, lanes } = copyTotals([closedFigures(last)]);
    const lost = Object.values(engine.turnsLost).reduce((sum, count) => sum + count, 0);
    const ended = Object.values(engine.terminal).reduce((sum, count) => sum + count, 0);
    assert.equal(engine.turnsPending, 0);
    assert.equal(engine.turnsCaptured, engine.turnsDelivered + lost);
    assert.equal(engine.turnsLost.interrupted, 3);
    assert.equal(engine.sessionsStarted, ended);
    assert.equal(sessionsOpen, 0);
    assert.equal(lanes[0]!.isUp, true, 'what it had no way to is no news of those that run');
  });
});

describe('the share of a worker', () => {
  it('all workers together have what was allowed, and each has something', () => {
    const limits = {
      connectionsMax: 100,
      sessionsMax: 7,
      heldBytesMax: 1000,
      heldBytesPerConnectionMax: 800,
      lanesMax: 10,
      batchBytesMax: 10,
      batchPacketsMax: 10,
    };
    const basis = {
      delivery: 'tunnel',
      wait: true,
      udp: false,
      fullSessionsOnly: false,
      rampMs: 0,
      mtuBytes: 1500,
      responseTimeoutMs: 1,
      idleTimeoutMs: 1,
      captureBufferBytes: 64,
      name: 'x',
      wire: undefined,
      credentialsFile: undefined,
      logins: [],
      responsePayloadBytes: 0,
      connect: false,
      limits,
      budget: { cpuPercentMax: 200, memoryBytesMax: 500 },
    } as const;
    const share = shareOf(basis, 4, 100);
    assert.equal(share.captureBufferBytes, 16);
    assert.deepEqual(share.budget, { cpuPercentMax: 50, memoryBytesMax: 100 });
    const none = { ...basis, budget: { cpuPercentMax: 0, memoryBytesMax: 0 } };
    assert.deepEqual(shareOf(none, 4, 100).budget, none.budget, 'no limit stays none');
    assert.deepEqual(share.limits, {
      ...limits,
      connectionsMax: 25,
      sessionsMax: 1,
      heldBytesMax: 250,
      heldBytesPerConnectionMax: 250,
    });
  });
});
