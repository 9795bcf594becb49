/** When new pods get a sidecar. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decide } from '../../src/traffic-copy/decide.js';
import { EMPTY_MEMORY } from '../../src/traffic-copy/observation.js';
import { COPIED, expect } from '../kit/decided.js';
import { type Case, copyContainer, observe, pod, trafficCopy } from '../kit/observed.js';

describe('decide: webhook', () => {
  it('new pods get no sidecar before a copy has run', () => {
    assert.equal(decide(observe()).webhook, undefined);
  });

  it('new pods get a sidecar once a copy has run', () => {
    assert.deepEqual(decide(observe(COPIED)).webhook?.matchLabels, { app: 'checkout' });
  });

  it('that a copy has run is known to a new leader by the start time and a container that runs', () => {
    const record = trafficCopy({}, { status: { startTime: '2026-03-01T11:00:00Z' } });
    const { sources } = COPIED;
    assert.notEqual(decide(observe({ trafficCopy: record, sources: sources! })).webhook, undefined);
    assert.equal(decide(observe({ trafficCopy: record })).webhook, undefined);
  });

  it('a pod whose copy waits for an image that was corrected gets another copy', () => {
    const waiting = { state: 'waiting', reason: 'ImagePullBackOff', image: 'copy:typo' } as const;
    const sources = [pod('a', { copies: [copyContainer(1, waiting)] })];
    assert.deepEqual(
      decide(observe({ sources })).injections.map(({ generation }) => generation),
      [2],
    );
    assert.deepEqual(decide(observe({ sources, rest: { copyImage: 'copy:typo' } })).injections, []);
  });

  it('new pods get no sidecar from another image than the one that copies run from, until one runs from it', () => {
    const record = trafficCopy({}, { status: { startTime: '2026-03-01T11:00:00Z' } });
    const upgraded: Case = { ...COPIED, trafficCopy: record, rest: { copyImage: 'copy:2' } };
    assert.equal(decide(observe(upgraded)).webhook, undefined);
    const copies = [copyContainer(1, { image: 'copy:2' })];
    const sources = [...COPIED.sources!, pod('bb', { copies })];
    assert.notEqual(decide(observe({ ...upgraded, sources })).webhook, undefined);
  });

  it('new pods get a sidecar though no pod is left, when a copy has run under this leader', () => {
    const memory = { ...EMPTY_MEMORY, isImageProven: true };
    assert.notEqual(decide(observe({ sources: [], rest: { memory } })).webhook, undefined);
  });

  it('injection Sidecar: running pods are left alone, new ones get a sidecar', () => {
    const decision = decide(observe({ trafficCopy: trafficCopy({ injection: 'Sidecar' }) }));
    assert.deepEqual(decision.injections, []);
    assert.notEqual(decision.webhook, undefined);
    expect(decision, 'SourcesInjected', 'False', 'WaitingForNewPods');
  });

  it('injection Ephemeral: no webhook', () => {
    assert.equal(
      decide(observe({ ...COPIED, trafficCopy: trafficCopy({ injection: 'Ephemeral' }) })).webhook,
      undefined,
    );
  });

  it('a quota: ephemeral containers only', () => {
    const decision = decide(observe({ ...COPIED, rest: { limits: ['ResourceQuota compute'] } }));
    assert.equal(decision.webhook, undefined);
    expect(decision, 'Ready', 'True', 'Copying');
    expect(
      decision,
      'SourcesInjected',
      'True',
      'Injected',
      /new pods get their copy when they run.*ResourceQuota compute/,
    );
  });

  it('a pod that cannot start for our sidecar ends the webhook, and is named', () => {
    const stuck = copyContainer(0, { state: 'waiting', reason: 'ErrImagePull', message: 'denied' });
    const sources = [...COPIED.sources!, pod('bb', { phase: 'Pending', copies: [stuck] })];
    const decision = decide(observe({ ...COPIED, sources }));
    assert.equal(decision.webhook, undefined);
    expect(decision, 'Degraded', 'True', 'SidecarImage', /pod bb .*denied.*Delete the pod/);
  });
});
