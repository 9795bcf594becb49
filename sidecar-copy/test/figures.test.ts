import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEngineCounters } from '@trafficcopy/core';
import type { CopyFigures } from '../src/copy-figures.js';
import { copyStatus, lagText, lossText } from '../src/copy-status.js';
import { copySummaryJson, copySummaryTable } from '../src/copy-summary.js';
import { unreadyReason } from '../src/health.js';
import { copyMetrics } from '../src/metrics.js';

function figures(overrides: Partial<CopyFigures> = {}): CopyFigures {
  return {
    elapsedMs: 1000,
    workers: 1,
    workerRestarts: 0,
    engine: createEngineCounters(),
    sessionsOpen: 0,
    lagMs: 0,
    budget: { share: 1, sessionsShed: 0 },
    ramp: 1,
    sources: [{ name: 'any', packets: 0, drops: 0, freezes: 0, interfaceState: 'up' }],
    lanes: [
      {
        name: '10.0.0.2:36524',
        isUp: true,
        isCongested: false,
        queuedBytes: 0,
        framesDropped: 0,
        counters: { connects: 1, losses: 0, headersFrames: 0, framesMalformed: 0, congestions: 0 },
        sink: { packets: 0, bytes: 0, packetsRefused: 0, packetsWithoutChannel: 0, packetsFailed: 0 },
      },
    ],
    cpuUserUs: 0,
    cpuSystemUs: 0,
    rssBytes: 0,
    ...overrides,
  };
}

test('the status line has rates of the interval, sessions, loss, lag and CPU', () => {
  const before = figures({ cpuUserUs: 1_000_000 });
  const engine = { ...createEngineCounters(), turnsDelivered: 2468 };
  const now = figures({
    elapsedMs: 3000,
    engine,
    sessionsOpen: 20,
    lagMs: 42,
    cpuUserUs: 1_100_000,
    cpuSystemUs: 20_000,
  });
  assert.deepEqual(copyStatus(before, now), [
    '1,234 requests/s copied',
    '20 sessions',
    'lost 0',
    'lag 42 ms',
    'CPU 6 %',
  ]);
});

test('one session is not «1 sessions», and a ramp that is not over does not say 100 %', () => {
  const parts = copyStatus(figures(), figures({ sessionsOpen: 1, ramp: 0.997 }));
  assert.equal(parts[0], 'ramp 99 %');
  assert.ok(parts.includes('1 session'), parts.join());
});

test('a channel that is down stands first in the status line', () => {
  const lanes = figures().lanes.map((lane) => ({ ...lane, isUp: false }));
  assert.equal(copyStatus(figures(), figures({ lanes }))[0], 'no channel to 10.0.0.2:36524');
});

test('before the capture has begun the status line has no CPU share: there is no interval for it', () => {
  const before = figures({ elapsedMs: 0, cpuUserUs: 1_000_000 });
  const parts = copyStatus(before, figures({ elapsedMs: 800, cpuUserUs: 20_000 }));
  assert.equal(
    parts.some((part) => part.startsWith('CPU')),
    false,
  );
});

test('losses are named, the most frequent first, and packets that the capture dropped beside them', () => {
  const engine = createEngineCounters();
  engine.turnsLost.targetReset = 2;
  engine.turnsLost.captureGap = 1500;
  const [source] = figures().sources;
  assert.equal(
    lossText(figures({ engine, sources: [{ ...source!, drops: 70 }] })),
    '1,502 (captureGap 1,500, targetReset 2, capture buffer full: 70 packets)',
  );
});

test('a lag is in milliseconds below a second', () => {
  assert.equal(lagText(999.4), '999 ms');
  assert.equal(lagText(1000), '1.0 s');
});

test('the summary names each loss with what helps against it', () => {
  const engine = { ...createEngineCounters(), turnsCaptured: 10, turnsDelivered: 7 };
  engine.turnsLost.captureGap = 3;
  const text = copySummaryTable(figures({ engine })).render(120);
  assert.match(text, /captureGap +│? *3/);
  assert.match(text, /--capture-buffer/);
  assert.doesNotMatch(text, /targetRefused/);
});

test('the summary as JSON has the sums and every counter', () => {
  const engine = { ...createEngineCounters(), turnsCaptured: 10, turnsDelivered: 7 };
  engine.turnsLost.shed = 3;
  const json = JSON.parse(JSON.stringify(copySummaryJson(figures({ engine, cpuUserUs: 70 }), 'SIGTERM')));
  assert.equal(json.endReason, 'SIGTERM');
  assert.deepEqual(json.turns.lost, 3);
  assert.equal(json.turns.lostByReason.shed, 3);
  assert.equal(json.engine.terminal.copied, 0);
  assert.equal(json.cpu.usPerTurn, 10);
});

test('ready means every channel and every interface is up; the reason names what is not', () => {
  assert.equal(unreadyReason(figures().lanes, figures().sources), undefined);
  const lanes = [{ name: 'a:1', isUp: false }];
  const sources = [{ name: 'eth0', interfaceState: 'down' as const }];
  assert.equal(unreadyReason(lanes, sources), 'no channel to intercept a:1; interface eth0 is down');
});

test('metrics have what --compare found, and nothing of it without', async () => {
  const comparison = {
    ...{ turns: 10, equal: 4, different: 3, noise: 2, incomparable: { noRoom: 1 }, differencesDropped: 0 },
    ...{ targets: {}, noiseFields: {}, requests: [], slow: [] },
  };
  const text = await copyMetrics(() => figures({ comparison })).registry.metrics();
  assert.match(text, /^trafficcopy_copy_compared_turns_total\{outcome="different"\} 3$/m);
  assert.match(text, /^trafficcopy_copy_compared_turns_total\{outcome="incomparable"\} 1$/m);
  const plain = await copyMetrics(() => figures()).registry.metrics();
  assert.doesNotMatch(plain, /compared_turns_total\{/);
});

test('metrics have every loss reason and every lane as a label', async () => {
  const engine = createEngineCounters();
  engine.turnsLost.noResponse = 4;
  const text = await copyMetrics(() => figures({ engine })).registry.metrics();
  assert.match(text, /^trafficcopy_copy_turns_lost_total\{reason="noResponse"\} 4$/m);
  assert.match(text, /^trafficcopy_copy_turns_lost_total\{reason="captureGap"\} 0$/m);
  assert.match(text, /^trafficcopy_copy_ring_drops_total\{interface="any"\} 0$/m);
  assert.match(text, /^trafficcopy_copy_lane_packets_total\{intercept="10\.0\.0\.2:36524"\} 0$/m);
});
