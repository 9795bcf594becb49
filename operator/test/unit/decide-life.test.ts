/** How a TrafficCopy begins, pauses, changes hands and ends. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CopyContainerRecord } from '../../src/kube/index.js';
import { decide } from '../../src/traffic-copy/decide.js';
import { COPIED, expect, sizeOf } from '../kit/decided.js';
import { type Case, copyContainer, crashed, intercept, NOW_MS, observe, pod, trafficCopy } from '../kit/observed.js';

describe('decide: a new leader', () => {
  const WAS_COPYING = trafficCopy({}, { status: { sources: { selected: 1, injected: 1, copying: 1 } } });

  it('takes no endpoint away before the intercept has come back', () => {
    const decision = decide(observe({ ...COPIED, intercepts: [], rest: { leadingMs: 1000 } }));
    assert.equal(decision.copySettings.size, 0);
  });

  it('does after the time that intercepts need', () => {
    const decision = decide(observe({ ...COPIED, intercepts: [], rest: { leadingMs: 60_000 } }));
    assert.deepEqual(decision.copySettings.get('uid-a')?.mappings[0]?.targets[0]?.endpoints, []);
  });

  it('leaves the status as it is until the copies have come back', () => {
    const given = { ...COPIED, copies: [], trafficCopy: WAS_COPYING };
    assert.equal(decide(observe({ ...given, rest: { leadingMs: 1000 } })).status, undefined);
    assert.notEqual(decide(observe({ ...given, rest: { leadingMs: 60_000 } })).status, undefined);
  });

  it('the channel of an intercept is gone for a moment: it goes on serving', () => {
    const intercepts = [intercept('node-2', { 'uid-t': 'serving' }, { isConnected: false })];
    const decision = decide(observe({ ...COPIED, intercepts }));
    assert.equal(decision.copySettings.get('uid-a')?.mappings[0]?.targets[0]?.endpoints.length, 1);
  });
});

describe('decide: life', () => {
  const STARTED = { startTime: '2026-03-01T11:00:00Z' };

  it('suspend: copies stay, and pause', () => {
    const decision = decide(observe({ ...COPIED, trafficCopy: trafficCopy({ suspend: true }) }));
    assert.equal(decision.copySettings.get('uid-a')?.state, 'suspended');
    assert.equal(decision.stopAll, undefined);
    assert.equal(sizeOf(decision), 1);
    expect(decision, 'Ready', 'False', 'Suspended');
  });

  it('suspend: nothing is injected', () => {
    assert.deepEqual(decide(observe({ trafficCopy: trafficCopy({ suspend: true }) })).injections, []);
  });

  it('the start time is set with the first copy at work', () => {
    assert.equal(decide(observe(COPIED)).status?.startTime, '2026-03-01T12:00:00Z');
    assert.equal(decide(observe()).status?.startTime, undefined);
  });

  it('duration: it completes that long after the start time', () => {
    const early = decide(observe({ ...COPIED, trafficCopy: trafficCopy({ duration: '2h' }, { status: STARTED }) }));
    assert.equal(early.stopAll, undefined);
    const late = decide(observe({ ...COPIED, trafficCopy: trafficCopy({ duration: '1h' }, { status: STARTED }) }));
    assert.match(late.stopAll ?? '', /spec.duration is over/);
    assert.equal(late.status?.completionTime, '2026-03-01T12:00:00Z');
    assert.equal(late.nodes, 'asBefore', 'copies stop first');
    assert.equal(late.webhook, undefined);
    assert.equal(late.secret, 'absent');
    expect(late, 'Ready', 'False', 'Completed');
  });

  it('duration: the end is looked at in time', () => {
    const record = trafficCopy({ duration: '60m2s' }, { status: STARTED });
    const { lookAgainMs } = decide(observe({ ...COPIED, trafficCopy: record }));
    assert.equal(lookAgainMs, 2000);
  });

  const RAMP = { ramp: '10m' };
  const SOURCES = [pod('a', { copies: [copyContainer(1)] }), pod('bb')];

  it('ramp: one clock, which the first copy at work begins', () => {
    const waiting = decide(observe({ trafficCopy: trafficCopy(RAMP) }));
    assert.equal(waiting.status?.rampStartTime, undefined);
    assert.deepEqual(waiting.copySettings.get('uid-a')?.ramp, { durationMs: 600_000 });
    const begun = decide(observe({ ...COPIED, trafficCopy: trafficCopy(RAMP) }));
    assert.equal(begun.status?.rampStartTime, '2026-03-01T12:00:00Z');
    expect(begun, 'Ready', 'True', 'Ramping', /raises the load until 2026-03-01T12:10:00Z/);
  });

  it('ramp: copies are told of its clock, those of new pods too; a change of its length keeps it', () => {
    const status = { ...STARTED, rampStartTime: '2026-03-01T11:55:00Z' };
    const record = trafficCopy({ ramp: '20m' }, { status });
    const decision = decide(observe({ ...COPIED, sources: SOURCES, trafficCopy: record }));
    const ramp = { durationMs: 1_200_000, beganAtMs: NOW_MS - 300_000 };
    assert.deepEqual(
      ['uid-a', 'uid-bb'].map((uid) => decision.copySettings.get(uid)?.ramp),
      [ramp, ramp],
    );
    assert.equal(decision.status?.rampStartTime, status.rampStartTime);
  });

  it('ramp: when it is over it is ready for another reason', () => {
    const status = { ...STARTED, rampStartTime: '2026-03-01T11:50:00Z' };
    expect(decide(observe({ ...COPIED, trafficCopy: trafficCopy(RAMP, { status }) })), 'Ready', 'True', 'Copying');
  });

  it('ramp: suspend ends its clock, and so does a spec without it', () => {
    const status = { ...STARTED, rampStartTime: '2026-03-01T11:55:00Z' };
    const decision = decide(observe({ ...COPIED, trafficCopy: trafficCopy({ ...RAMP, suspend: true }, { status }) }));
    assert.equal(decision.status?.rampStartTime, undefined);
    assert.deepEqual(decision.copySettings.get('uid-a')?.ramp, { durationMs: 600_000 });
    const without = decide(observe({ ...COPIED, trafficCopy: trafficCopy({}, { status }) }));
    assert.deepEqual([without.status?.rampStartTime, without.copySettings.get('uid-a')?.ramp], [undefined, undefined]);
  });

  it('what has completed stays so, whatever the spec says then', () => {
    const status = { ...STARTED, completionTime: '2026-03-01T11:30:00Z' };
    const decision = decide(observe({ trafficCopy: trafficCopy({ duration: '9h' }, { status }) }));
    assert.deepEqual(decision.injections, []);
    assert.equal(decision.status?.completionTime, '2026-03-01T11:30:00Z');
  });

  it('schedule: nothing is done before the start', () => {
    const record = trafficCopy({ schedule: { start: '2026-03-01T12:00:30Z' } });
    const decision = decide(observe({ trafficCopy: record }));
    assert.deepEqual([decision.injections.length, sizeOf(decision), decision.lookAgainMs], [0, 0, 30_000]);
    expect(decision, 'Ready', 'False', 'Scheduled', /2026-03-01T12:00:30Z/);
  });

  it('schedule: the start is put off while copies are at work: they pause', () => {
    const record = trafficCopy({ schedule: { start: '2026-03-01T12:00:30Z' } });
    const decision = decide(observe({ ...COPIED, trafficCopy: record }));
    assert.equal(decision.copySettings.get('uid-a')?.state, 'suspended');
    assert.deepEqual([decision.injections.length, sizeOf(decision)], [0, 1]);
    expect(decision, 'Ready', 'False', 'Scheduled');
  });

  it('schedule: it completes at the end', () => {
    const record = trafficCopy({ schedule: { end: '2026-03-01T11:59:59Z' } });
    assert.match(decide(observe({ trafficCopy: record })).stopAll ?? '', /spec.schedule.end is over/);
  });

  it('a spec that cannot be read is a condition', () => {
    const decision = decide(observe({ trafficCopy: trafficCopy({ multiply: 0 }) }));
    assert.deepEqual(decision.injections, []);
    expect(decision, 'Ready', 'False', 'InvalidSpec', /spec.multiply/);
  });
});

describe('decide: the end', () => {
  const deleting = (agoMs: number) => trafficCopy({}, { isDeleting: true, deletionAtMs: NOW_MS - agoMs });
  const idle: Case = { sources: [pod('a', { copies: [crashed(1, 1000, 0)] })], intercepts: [intercept('node-2', {})] };
  const granted = new Map([['uid-t', 'node-2']]);

  it('copies are stopped first, and nodes released when they have gone', () => {
    const decision = decide(observe({ ...COPIED, trafficCopy: deleting(100) }));
    assert.match(decision.stopAll ?? '', /deleted/);
    assert.deepEqual([decision.nodes, decision.webhook, decision.injections.length], ['asBefore', undefined, 0]);
    assert.equal(sizeOf(decide(observe({ ...idle, trafficCopy: deleting(100) }))), 0);
  });

  it('nodes do not wait for a copy that does not stop', () => {
    assert.equal(sizeOf(decide(observe({ ...COPIED, trafficCopy: deleting(4000) }))), 0);
  });

  it('a copy that runs holds the finalizer', () => {
    const decision = decide(observe({ ...COPIED, trafficCopy: deleting(100) }));
    assert.deepEqual([decision.finalizer, decision.secret], ['present', 'present']);
    assert.ok(decision.lookAgainMs !== undefined);
  });

  it('a copy that is about to start holds the finalizer, and one whose image is not to be had does not', () => {
    const given = (copy: CopyContainerRecord): Case => {
      return { ...idle, sources: [pod('a', { copies: [copy] })], trafficCopy: deleting(100) };
    };
    const starting = copyContainer(1, { state: 'waiting', reason: 'ContainerCreating' });
    assert.equal(decide(observe(given(starting))).finalizer, 'present');
    const imageless = copyContainer(1, { state: 'waiting', reason: 'ImagePullBackOff' });
    assert.equal(decide(observe(given(imageless))).finalizer, 'absent');
  });

  it('a copy that was injected a moment ago and that nobody has seen yet holds the finalizer', () => {
    const injected = new Map([['uid-a', { container: 'trafficcopy-aaaaaaaa-1', atMs: NOW_MS - 100 }]]);
    const memory = { ...observe().memory, injected };
    const given = { ...idle, sources: [pod('a')], trafficCopy: deleting(100), rest: { memory } };
    assert.equal(decide(observe(given)).finalizer, 'present');
  });

  it('a pod that the intercept still names holds the finalizer', () => {
    const memory = { ...observe().memory, granted };
    const given = { ...idle, trafficCopy: deleting(100), intercepts: [intercept('node-2', { 'uid-t': 'leaving' })] };
    assert.equal(decide(observe({ ...given, rest: { memory } })).finalizer, 'present');
  });

  it('when all is clean Secret and finalizer go', () => {
    const memory = { ...observe().memory, granted };
    const decision = decide(observe({ ...idle, trafficCopy: deleting(100), rest: { memory } }));
    assert.deepEqual([decision.finalizer, decision.secret], ['absent', 'absent']);
    assert.deepEqual(decision.events, []);
  });

  it('nobody is waited for longer than 30 s, and an event tells what may be left', () => {
    const memory = { ...observe().memory, granted };
    const given = {
      ...COPIED,
      trafficCopy: deleting(31_000),
      intercepts: [intercept('node-2', { 'uid-t': 'leaving' })],
    };
    const decision = decide(observe({ ...given, rest: { memory } }));
    assert.equal(decision.finalizer, 'absent');
    assert.match(decision.events[0]?.message ?? '', /a copy in pod a, rules on node node-2/);
  });

  it('a pod that is gone is not waited for', () => {
    assert.equal(decide(observe({ sources: [], trafficCopy: deleting(100), intercepts: [] })).finalizer, 'absent');
  });

  it('a new leader waits for sidecars to come back', () => {
    const given = { ...idle, sources: [pod('a', { copies: [copyContainer(0)] })], trafficCopy: deleting(100) };
    assert.equal(decide(observe({ ...given, rest: { leadingMs: 1000 } })).finalizer, 'present');
    assert.equal(decide(observe(given)).finalizer, 'absent');
  });

  it('without our finalizer there is nothing to hold', () => {
    const record = { ...deleting(100), finalizers: ['other'] };
    assert.equal(decide(observe({ ...COPIED, trafficCopy: record })).finalizer, 'absent');
  });
});
