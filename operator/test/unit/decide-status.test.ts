/** What the status says. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decide, FIGURES_MS } from '../../src/traffic-copy/decide.js';
import { COPIED, condition, expect } from '../kit/decided.js';
import {
  copyContainer,
  copyLink,
  copyReport,
  NO_TRAFFIC,
  NOW_MS,
  namespace,
  observe,
  pod,
  targetPod,
  trafficCopy,
} from '../kit/observed.js';

describe('decide: trouble', () => {
  it('a port that carries TLS: the condition names it, and it is not ready', () => {
    const copies = [copyLink('uid-a', { report: copyReport({ encrypted: { '8443': 12 } }) })];
    const decision = decide(observe({ ...COPIED, copies }));
    expect(decision, 'Degraded', 'True', 'EncryptedTraffic', /port 8443 carries TLS/);
    expect(decision, 'Ready', 'False', 'EncryptedTraffic');
  });

  it('a few TLS connections on a plain port are told of, and it is ready', () => {
    const report = copyReport({ encrypted: { '8080': 1 }, connectionsSeen: 1000 });
    const decision = decide(observe({ ...COPIED, copies: [copyLink('uid-a', { report })] }));
    expect(decision, 'Degraded', 'True', 'EncryptedConnections', /port 8080/);
    expect(decision, 'Ready', 'True', 'Copying');
  });

  it('packets that copies could not capture are told of, for a while', () => {
    const at = (risenAtMs: number) => {
      const memory = { ...observe().memory, captureDrops: { count: 12, risenAtMs } };
      return decide(observe({ ...COPIED, rest: { memory } }));
    };
    expect(at(NOW_MS - 1000), 'Degraded', 'True', 'CaptureDrops', /12 packets/);
    expect(at(NOW_MS - 61_000), 'Degraded', 'False', 'AsExpected');
  });

  it('a target with more pods than a copy can be told of: as many as can be, and words', () => {
    const targets = Array.from({ length: 300 }, (_, n) =>
      targetPod(`t${n}`, { addresses: [`10.0.${n >> 8}.${n & 255}`] }),
    );
    const decision = decide(observe({ ...COPIED, targets }));
    assert.equal(decision.copySettings.get('uid-a')?.mappings[0]?.targets[0]?.endpoints.length, 256);
    expect(decision, 'Degraded', 'True', 'TooManyPods', /300 pods/);
  });

  it('what a copy says keeps it from copying is handed on, once', () => {
    const report = copyReport({ problems: ['the capture drops packets'] });
    const sources = ['a', 'bb'].map((name) => pod(name, { copies: [copyContainer(1)] }));
    const copies = sources.map(({ uid }) => copyLink(uid, { report }));
    const decision = decide(observe({ sources, copies }));
    expect(decision, 'Degraded', 'True', 'CopyProblem', /^pod a: the capture drops packets$/);
  });
});

describe('decide: status', () => {
  it('nothing has changed: nothing is written', () => {
    const first = decide(observe(COPIED));
    assert.ok(first.status);
    const record = trafficCopy({}, { status: JSON.parse(JSON.stringify(first.status)) });
    const second = decide(observe({ ...COPIED, trafficCopy: record }));
    assert.equal(second.status, undefined);
    assert.deepEqual(second.events, []);
  });

  it('figures alone are written every five seconds', () => {
    const status = decide(observe(COPIED)).status!;
    const record = trafficCopy({}, { status });
    const traffic = { ...NO_TRAFFIC, turnsCaptured: 100 };
    const at = (figuresAtMs: number) => {
      const memory = { ...observe().memory, figuresAtMs };
      return decide(observe({ ...COPIED, trafficCopy: record, rest: { traffic, memory } }));
    };
    assert.equal(at(NOW_MS - 1000).status, undefined);
    assert.equal(at(NOW_MS - 1000).lookAgainMs, FIGURES_MS - 1000);
    assert.equal(at(NOW_MS - FIGURES_MS).status?.traffic?.turnsCaptured, 100);
  });

  it('conditions are written at once', () => {
    const status = decide(observe(COPIED)).status!;
    const memory = { ...observe().memory, figuresAtMs: NOW_MS - 10 };
    const decision = decide(
      observe({ ...COPIED, trafficCopy: trafficCopy({}, { status }), targets: [], rest: { memory } }),
    );
    assert.ok(decision.status);
  });

  it('the time of a transition is kept while the status of the condition is', () => {
    const status = decide(observe(COPIED)).status!;
    const later = { nowMs: NOW_MS + 60_000 };
    const decision = decide(observe({ ...COPIED, targets: [], trafficCopy: trafficCopy({}, { status }), rest: later }));
    assert.equal(condition(decision, 'SourcesInjected').lastTransitionTime, '2026-03-01T12:00:00Z');
    assert.equal(condition(decision, 'TargetsReady').lastTransitionTime, '2026-03-01T12:01:00Z');
  });

  it('figures are the hub’s, losses with the most frequent first', () => {
    const losses = [
      { reason: 'targetReset', turns: 5 },
      { reason: 'captureGap', turns: 1 },
    ];
    const traffic = { ...NO_TRAFFIC, turnsCaptured: 300, turnsLost: 6, lostPercent: '2', turnsPerSecond: 42, losses };
    const { status } = decide(observe({ ...COPIED, rest: { traffic } }));
    assert.deepEqual([status?.traffic?.turnsPerSecond, status?.traffic?.lostPercent], [42, '2']);
    assert.deepEqual(status?.losses, losses);
    assert.deepEqual(status?.summary, { sources: '1/1', targets: '1/1', sample: '100%' });
  });

  it('an event tells of what somebody has to do something about', () => {
    const decision = decide(observe({ rest: { namespace: namespace('shop', { podSecurity: 'baseline' }) } }));
    assert.deepEqual(
      decision.events.map(({ type, reason }) => [type, reason]),
      [['Warning', 'PodSecurity']],
    );
  });
});
