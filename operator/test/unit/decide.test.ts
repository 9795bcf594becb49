import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CopyReport } from '@trafficcopy/core';
import type { Condition, ConditionType } from '../../src/api/index.js';
import type { CopyContainerRecord } from '../../src/kube/index.js';
import { decide, FIGURES_MS } from '../../src/traffic-copy/decide.js';
import type { Decision } from '../../src/traffic-copy/decision.js';
import { EMPTY_MEMORY } from '../../src/traffic-copy/observation.js';
import {
  type Case,
  copyContainer,
  copyLink,
  copyReport,
  crashed,
  intercept,
  NO_TRAFFIC,
  NOW_MS,
  namespace,
  observe,
  pod,
  targetPod,
  trafficCopy,
  UID,
} from '../kit/observed.js';

function nodesOf({ nodes }: Pick<Decision, 'nodes'>): Exclude<Decision['nodes'], 'asBefore'> {
  assert.notEqual(nodes, 'asBefore');
  return nodes as Exclude<Decision['nodes'], 'asBefore'>;
}

function sizeOf(decision: Decision): number {
  return nodesOf(decision).size;
}

/** A source pod with a copy at work. */
const COPIED: Case = { sources: [pod('a', { copies: [copyContainer(1)] })], copies: [copyLink('uid-a')] };

function condition(decision: Decision, type: ConditionType): Condition {
  const found = decision.status?.conditions?.find((one) => one.type === type);
  assert.ok(found, `no condition ${type}`);
  return found;
}

function expect(decision: Decision, type: ConditionType, status: string, reason: string, message = /./): void {
  const found = condition(decision, type);
  assert.deepEqual([found.status, found.reason], [status, reason], found.message);
  assert.match(found.message, message);
}

describe('decide: sources', () => {
  it('a running pod without a copy gets an ephemeral container', () => {
    const decision = decide(observe());
    assert.deepEqual(
      decision.injections.map(({ pod: { name }, generation }) => [name, generation]),
      [['a', 1]],
    );
    expect(decision, 'SourcesInjected', 'False', 'CopiesStarting');
    expect(decision, 'Ready', 'False', 'CopiesStarting');
  });

  it('a pod with a copy gets none', () => {
    const decision = decide(observe(COPIED));
    assert.deepEqual(decision.injections, []);
    expect(decision, 'Ready', 'True', 'Copying', /1 of 1/);
    expect(decision, 'Copying', 'True', 'Copying');
    expect(decision, 'SourcesInjected', 'True', 'Injected');
    expect(decision, 'TargetsReady', 'True', 'Serving');
    expect(decision, 'Degraded', 'False', 'AsExpected');
  });

  it('a copy that works by older settings, or does not reach every target, keeps it from being ready', () => {
    const withReport = (report: Partial<CopyReport>): Decision =>
      decide(observe({ ...COPIED, copies: [copyLink('uid-a', { report: copyReport(report) })] }));
    expect(withReport({ generation: 2 }), 'Ready', 'False', 'CopiesChanging', /1 copy has yet to take over/);
    const down = [{ endpoint: '10.0.1.1:9090', isUp: false }];
    const others = [{ endpoint: '10.0.1.9:9090', isUp: true }];
    for (const endpoints of [down, others, []]) {
      const decision = withReport({ endpoints });
      expect(decision, 'Ready', 'False', 'CopiesConnecting', /1 of 1 .* 1 copy has yet to reach target canary/);
      expect(decision, 'Copying', 'True', 'Copying');
    }
    expect(withReport({ endpoints: [...down, ...copyReport().endpoints] }), 'Ready', 'True', 'Copying');
  });

  it('a pod with a sidecar gets no ephemeral container', () => {
    const decision = decide(observe({ sources: [pod('a', { copies: [copyContainer(0)] })] }));
    assert.deepEqual(decision.injections, []);
  });

  it('an injection that the cache does not show yet is not done again', () => {
    const injected = new Map([['uid-a', { container: 'trafficcopy-aaaaaaaa-1', atMs: NOW_MS - 500 }]]);
    const decision = decide(observe({ rest: { memory: { ...observe().memory, injected } } }));
    assert.deepEqual(decision.injections, []);
  });

  for (const [what, rest] of Object.entries({
    'is pending': { phase: 'Pending' },
    'has ended': { phase: 'Succeeded' },
    'is on its way out': { isTerminating: true },
    'has no address': { addresses: [] },
    'uses the network of its node': { isHostNetwork: true },
    'is opted out': { labels: { app: 'checkout', 'trafficcopy.dev/inject': 'false' } },
    'is a Windows pod': { isWindows: true },
    'is a mirror pod': { annotations: { 'kubernetes.io/config.mirror': 'x' } },
  })) {
    it(`a pod that ${what} gets no copy`, () => {
      const decision = decide(observe({ sources: [pod('a', rest)] }));
      assert.deepEqual(decision.injections, []);
      assert.equal(condition(decision, 'SourcesInjected').status, 'False');
      assert.equal(decision.status?.summary?.sources, '0/0');
    });
  }

  it('pods in the network of their node are told of beside others', () => {
    const decision = decide(observe({ ...COPIED, sources: [...COPIED.sources!, pod('bb', { isHostNetwork: true })] }));
    expect(decision, 'Degraded', 'True', 'HostNetwork', /pod bb is left alone/);
    expect(decision, 'Ready', 'True', 'Copying');
  });

  it('a crashed copy is replaced, under a new name, after a while', () => {
    const early = decide(observe({ sources: [pod('a', { copies: [crashed(1, 400)] })] }));
    assert.deepEqual(early.injections, []);
    assert.ok(early.lookAgainMs !== undefined && early.lookAgainMs <= 600);
    expect(early, 'SourcesInjected', 'False', 'CopyFails', /exit code 137/);
    const late = decide(observe({ sources: [pod('a', { copies: [crashed(1, 1100)] })] }));
    assert.deepEqual(
      late.injections.map(({ generation }) => generation),
      [2],
    );
  });

  it('after five crashes in one pod no more copies are tried there', () => {
    const copies = [1, 2, 3, 4, 5].map((n) => crashed(n, 3_600_000));
    const decision = decide(observe({ sources: [pod('a', { copies })] }));
    assert.deepEqual(decision.injections, []);
    expect(decision, 'SourcesInjected', 'False', 'CopyFails', /not tried again/);
  });

  it('an image that cannot be pulled is told of', () => {
    const waiting = copyContainer(1, { state: 'waiting', reason: 'ImagePullBackOff', message: 'no such host' });
    const decision = decide(observe({ sources: [pod('a', { copies: [waiting] })] }));
    expect(decision, 'SourcesInjected', 'False', 'Image', /no such host.*imagePullSecrets/);
  });

  for (const level of ['baseline', 'restricted']) {
    it(`Pod Security ${level}: nothing is tried, and the label to change is named`, () => {
      const decision = decide(observe({ rest: { namespace: namespace('shop', { podSecurity: level }) } }));
      assert.deepEqual(decision.injections, []);
      assert.equal(decision.webhook, undefined);
      expect(decision, 'Ready', 'False', 'PodSecurity', /pod-security\.kubernetes\.io\/enforce=privileged/);
    });
  }

  it('what the API server refuses is told of, and tried again later', () => {
    const refused = new Map([['uid-a', { message: 'violates PodSecurity', atMs: NOW_MS - 1000 }]]);
    const decision = decide(observe({ rest: { memory: { ...observe().memory, refused } } }));
    assert.deepEqual(decision.injections, []);
    expect(decision, 'SourcesInjected', 'False', 'InjectionRefused', /violates PodSecurity/);
    assert.ok((decision.lookAgainMs ?? 0) > 20_000);
  });

  it('a copy in a pod that is not selected any more is stopped', () => {
    const stray = pod('a', { labels: { app: 'other' }, copies: [copyContainer(1)] });
    assert.deepEqual(decide(observe({ sources: [stray] })).stops, ['uid-a']);
  });

  it('a sidecar that was told to stop sleeps: selected again, the pod gets an ephemeral container', () => {
    const memory = { ...observe().memory, stopped: new Set(['uid-a']) };
    const sources = [pod('a', { copies: [copyContainer(0)] })];
    const decision = decide(observe({ sources, rest: { memory } }));
    assert.deepEqual(
      decision.injections.map(({ generation }) => generation),
      [1],
    );
    const back = decide(observe({ sources, copies: [copyLink('uid-a')], rest: { memory } }));
    assert.deepEqual(back.injections, []);
  });

  it('many pods with the same problem are one sentence', () => {
    const sources = ['a', 'bb', 'ccc'].map((name) =>
      pod(name, { copies: [1, 2, 3, 4, 5].map((n) => crashed(n, 1e6)) }),
    );
    expect(decide(observe({ sources })), 'SourcesInjected', 'False', 'CopyFails', /\(and 2 more\)/);
  });
});

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

describe('decide: targets', () => {
  it('the pods of a target are granted on their node, with ports and owner', () => {
    const { nodes } = decide(observe());
    assert.deepEqual(
      [...nodesOf({ nodes })],
      [
        [
          'node-2',
          [
            {
              uid: 'uid-t',
              name: 'shop/t',
              addresses: ['10.0.1.1'],
              grants: [{ owner: `shop/${UID}`, ports: [9090], clientRanges: [] }],
            },
          ],
        ],
      ],
    );
  });

  it('copies are told of target pods that are ready and served', () => {
    const settings = decide(observe()).copySettings.get('uid-a');
    assert.deepEqual(settings?.mappings, [
      {
        onlinePort: 8080,
        targets: [
          {
            name: 'canary',
            endpoints: [{ address: '10.0.1.1', port: 9090, interceptHost: 'node-2.intercept', interceptPort: 36524 }],
          },
        ],
      },
    ]);
  });

  for (const state of ['preparing', 'leaving', 'failed'] as const) {
    it(`a pod that its intercept reports as ${state} gets nothing`, () => {
      const decision = decide(observe({ ...COPIED, intercepts: [intercept('node-2', { 'uid-t': state })] }));
      assert.deepEqual(decision.copySettings.get('uid-a')?.mappings[0]?.targets[0]?.endpoints, []);
      const reason = state === 'failed' ? 'InterceptFailed' : 'InterceptPreparing';
      expect(decision, 'TargetsReady', 'False', reason, state === 'failed' ? /no iptables/ : /./);
    });
  }

  it('copies are told nothing before the intercept knows its latest grants', () => {
    const intercepts = [intercept('node-2', { 'uid-t': 'serving' }, { isCurrent: false })];
    assert.equal(decide(observe({ ...COPIED, intercepts })).copySettings.size, 0);
  });

  it('a pod that is not ready is granted, and gets nothing', () => {
    const decision = decide(observe({ targets: [targetPod('t', { isReady: false })] }));
    assert.equal(sizeOf(decision), 1);
    expect(decision, 'TargetsReady', 'False', 'TargetPodsNotReady');
  });

  it('a pod that is on its way out is neither granted nor used', () => {
    const decision = decide(observe({ targets: [targetPod('t', { isTerminating: true })] }));
    assert.equal(sizeOf(decision), 0);
    expect(decision, 'TargetsReady', 'False', 'NoTargetPods');
  });

  it('no intercept on the node of the target: the condition names the node', () => {
    expect(decide(observe({ intercepts: [] })), 'TargetsReady', 'False', 'InterceptMissing', /node-2/);
  });

  it('pods in the network of their node are no targets', () => {
    const decision = decide(observe({ targets: [targetPod('t', { isHostNetwork: true })] }));
    assert.equal(sizeOf(decision), 0);
    expect(decision, 'TargetsReady', 'False', 'HostNetwork');
  });

  it('one of two target pods is served: ready, with a hint', () => {
    const targets = [targetPod('t'), targetPod('uu', { nodeName: 'node-3', addresses: ['10.0.2.1'] })];
    const intercepts = [intercept('node-2', { 'uid-t': 'serving' })];
    expect(decide(observe({ ...COPIED, targets, intercepts })), 'TargetsReady', 'True', 'Serving', /node-3/);
  });

  it('another namespace without consent: nothing is granted, and the annotation is named', () => {
    const record = trafficCopy({
      targets: [
        { name: 'canary', namespace: 'staging', selector: { matchLabels: { app: 'canary' } }, ports: [{ source: 80 }] },
      ],
    });
    const decision = decide(observe({ trafficCopy: record }));
    assert.equal(sizeOf(decision), 0);
    expect(decision, 'Ready', 'False', 'NoConsent', /annotate namespace staging .*allow-copies-from=shop/);
  });

  for (const consent of [['shop'], ['other', 'shop'], ['*']]) {
    it(`another namespace that consents to ${consent.join(',')} is a target`, () => {
      const target = {
        name: 'canary',
        namespace: 'staging',
        selector: { matchLabels: { app: 'canary' } },
        ports: [{ source: 80 }],
      };
      const plain = observe({ trafficCopy: trafficCopy({ targets: [target] }) });
      const targets = plain.targets.map((one) => ({ ...one, namespace: namespace('staging', { consent }) }));
      assert.equal(sizeOf(decide({ ...plain, targets })), 1);
    });
  }

  it('a namespace that is not there is a condition', () => {
    const target = {
      name: 'canary',
      namespace: 'gone',
      selector: { matchLabels: { app: 'canary' } },
      ports: [{ source: 80 }],
    };
    const plain = observe({ trafficCopy: trafficCopy({ targets: [target] }) });
    const targets = plain.targets.map((one) => ({ ...one, namespace: undefined }));
    expect(decide({ ...plain, targets }), 'TargetsReady', 'False', 'NamespaceNotFound', /gone/);
  });

  it('an empty second target keeps it from being ready, and the first goes on', () => {
    const second = { name: 'other', selector: { matchLabels: { app: 'x' } }, ports: [{ source: 8080 }] };
    const first = { name: 'canary', selector: { matchLabels: { app: 'canary' } }, ports: [{ source: 8080 }] };
    const decision = decide(observe({ ...COPIED, trafficCopy: trafficCopy({ targets: [first, second] }) }));
    expect(decision, 'TargetsReady', 'False', 'NoTargetPods', /target other/);
    const targets = decision.copySettings.get('uid-a')?.mappings[0]?.targets;
    assert.deepEqual(
      targets?.map(({ name, endpoints }) => [name, endpoints.length]),
      [
        ['canary', 1],
        ['other', 0],
      ],
    );
    assert.equal(decision.status?.summary?.targets, '1/1');
  });

  it('client ranges are part of the grant', () => {
    const record = trafficCopy({ clientAddress: { mode: 'Range', cidrs: ['198.18.0.0/16'] } });
    const decision = decide(observe({ trafficCopy: record }));
    assert.deepEqual(nodesOf(decision).get('node-2')?.[0]?.grants[0]?.clientRanges, ['198.18.0.0/16']);
    assert.deepEqual(decision.copySettings.get('uid-a')?.clientRanges, ['198.18.0.0/16']);
  });
});

describe('decide: settings', () => {
  it('a pod with a mesh sidecar is captured on its loopback, others on the wire', () => {
    const sources = [pod('a'), pod('bb', { mesh: 'Istio' })];
    const { copySettings } = decide(observe({ sources }));
    assert.deepEqual(
      ['uid-a', 'uid-bb'].map((uid) => [copySettings.get(uid)?.capture, copySettings.get(uid)?.clientRanges]),
      [
        ['wire', []],
        ['loopback', ['198.18.0.0/15']],
      ],
    );
  });

  it('capture Wire: a mesh does not matter', () => {
    const record = trafficCopy({ capture: 'Wire' });
    const { copySettings } = decide(observe({ trafficCopy: record, sources: [pod('a', { mesh: 'Istio' })] }));
    assert.equal(copySettings.get('uid-a')?.capture, 'wire');
  });

  it('sample, multiply and limits are handed on', () => {
    const record = trafficCopy({
      sample: { percent: 0.5, by: 'Client', seed: 7 },
      multiply: 3,
      limits: { sessions: 10, memory: '2Mi', bandwidth: '1Mi', cpu: '250m', processMemory: '256Mi' },
    });
    const settings = decide(observe({ trafficCopy: record })).copySettings.get('uid-a');
    assert.deepEqual(settings?.sample, { fraction: 0.005, by: 'client', seed: 7 });
    assert.equal(settings?.copies, 3);
    assert.deepEqual(settings?.limits, {
      sessionsMax: 10,
      heldBytesMax: 2 ** 21,
      bytesPerSecondMax: 2 ** 20,
      cpuPercentMax: 25,
      processBytesMax: 2 ** 28,
    });
  });

  it('the generation is in the settings', () => {
    assert.equal(decide(observe()).copySettings.get('uid-a')?.generation, 3);
  });

  it('a pod on its way out goes on with what it does', () => {
    const decision = decide(
      observe({ ...COPIED, sources: [pod('a', { isTerminating: true, copies: [copyContainer(1)] })] }),
    );
    assert.equal(decision.copySettings.get('uid-a')?.state, 'running');
    assert.deepEqual(decision.stops, []);
  });

  it('the same pods in another order give the same settings', () => {
    const targets = [targetPod('t', { addresses: ['10.0.1.2'] }), targetPod('uu', { addresses: ['10.0.1.1'] })];
    const one = decide(observe({ targets })).copySettings.get('uid-a');
    const other = decide(observe({ targets: targets.toReversed() })).copySettings.get('uid-a');
    assert.deepEqual(one, other);
  });
});

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
