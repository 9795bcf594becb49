/** Which pods get a copy, and which copies are stopped. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CopyReport } from '@trafficcopy/core';
import { decide } from '../../src/traffic-copy/decide.js';
import type { Decision } from '../../src/traffic-copy/decision.js';
import { COPIED, condition, expect } from '../kit/decided.js';
import { copyContainer, copyLink, copyReport, crashed, NOW_MS, namespace, observe, pod } from '../kit/observed.js';

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
