import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEngineCounters } from '@trafficcopy/core';
import { type CopyFigures, noFigures } from '../src/copy-figures.js';
import type { OfflineFigures } from '../src/offline/offline-figures.js';
import { runProblem } from '../src/run-problem.js';

const OFFLINE: OfflineFigures = {
  ...{ frames: 10, notIp: 0, oversized: 0, outsideTime: 0, notWanted: 4, packets: 6, cut: 0, filesCutShort: 0 },
  ...{ doneFraction: 1, leftMs: 0, run: 1, runs: 1, positionMs: 0, skippedMs: 0, behindMs: 0 },
};

function figures(offline: OfflineFigures | undefined, turnsDelivered: number): CopyFigures {
  const engine = { ...createEngineCounters(), connectionsSeen: 2, turnsCaptured: 5, turnsDelivered, turnsPending: 1 };
  engine.turnsLost.noResponse = 1;
  engine.turnsLost.targetRefused = 3;
  return { ...noFigures(), elapsedMs: 1000, engine, offline };
}

test('a live copy that delivered nothing has ended in order', () => {
  for (const reason of ['SIGTERM', 'duration']) assert.equal(runProblem(figures(undefined, 0), reason), undefined);
});

test('a replay that delivered anything, or that a signal has ended, has ended in order', () => {
  assert.equal(runProblem(figures(OFFLINE, 1), 'complete'), undefined);
  assert.equal(runProblem(figures(OFFLINE, 0), 'SIGINT'), undefined);
});

test('a replay that delivered nothing names its losses, the largest first, and what still waits', () => {
  for (const reason of ['complete', 'duration']) {
    assert.match(
      runProblem(figures(OFFLINE, 0), reason)!,
      /^nothing was delivered: of 5 requests none arrived: targetRefused 3 \(.*\), noResponse 1 \(.*\), not yet answered 1$/,
    );
  }
});

test('a replay that began too late for every request says so', () => {
  const late = figures(OFFLINE, 0);
  const engine = { ...createEngineCounters(), connectionsSeen: 2, turnsBeforeJoin: 2 };
  assert.match(
    runProblem({ ...late, engine }, 'complete')!,
    /of 2 connections none .*under way when the recording began: 2\)/,
  );
});

test('a replay of datagrams of which none arrived names its losses; one that did is enough', () => {
  const engine = createEngineCounters();
  Object.assign(engine.datagrams, { captured: 2, copies: 4 });
  engine.datagrams.lost.channelLost = 3;
  engine.datagrams.lost.refused = 1;
  const replayed = { ...figures(OFFLINE, 0), engine, udp: true };
  assert.match(
    runProblem(replayed, 'complete')!,
    /^nothing was delivered: of 4 copies of datagrams none arrived: channelLost 3 \(.*\), refused 1 \(.*--udp-clients\)\)$/,
  );
  engine.datagrams.delivered = 1;
  assert.equal(runProblem(replayed, 'complete'), undefined);
});
