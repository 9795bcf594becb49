/** Targets outside the cluster: tokens in containers, copies that are replaced for the sake of one, and what conditions say. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CopyEndpointReport } from '@trafficcopy/core';
import { type CheckedSpec, interceptTokens, tokenVariable } from '../../src/api/index.js';
import { ephemeralCopyContainer, readPodManifest, sidecarPatch } from '../../src/injection/index.js';
import { readPod } from '../../src/kube/index.js';
import { decide } from '../../src/traffic-copy/decide.js';
import type { Decision } from '../../src/traffic-copy/decision.js';
import { expect } from '../kit/decided.js';
import {
  type Case,
  copyContainer,
  copyLink,
  copyReport,
  crashed,
  intercept,
  NOW_MS,
  observe,
  pod,
  trafficCopy,
  UID,
} from '../kit/observed.js';

const TOKEN = { secret: 'old', key: 'token' };
const VARIABLE = tokenVariable(TOKEN);
const OUTSIDE = {
  name: 'old-hardware',
  address: '10.16.12.11',
  intercept: '10.16.12.12:36524',
  interceptTokenSecret: { name: 'old' },
  ports: [{ source: 8080, target: 80 }],
};
const INSIDE = {
  name: 'canary',
  selector: { matchLabels: { app: 'canary' } },
  ports: [{ source: 8080, target: 9090 }],
};
const CONTAINER = {
  uid: UID,
  image: 'copy:1',
  imagePullPolicy: 'IfNotPresent',
  operatorAddress: '10.96.0.9:36524',
  logLevel: 'info',
  resources: {},
  interceptTokens: [TOKEN],
} as const;

function withToken(n: number, rest = {}) {
  return copyContainer(n, { tokenVariables: [VARIABLE], ...rest });
}

function outside(given: Case, spec: object = {}): Decision {
  const intercepts = [intercept('node-2', {})];
  return decide(
    observe({ trafficCopy: trafficCopy({ targets: [OUTSIDE], ...spec }), intercepts, targets: [], ...given }),
  );
}

/** A source pod with a copy that says this about the way to the address. */
function reporting(endpoint: Partial<CopyEndpointReport>, copies = [withToken(1)]): Case {
  const endpoints = [{ endpoint: '10.16.12.11:80', isUp: false, ...endpoint }];
  return { sources: [pod('a', { copies })], copies: [copyLink('uid-a', { report: copyReport({ endpoints }) })] };
}

function injectedInto({ injections }: Decision): [string, number][] {
  return injections.map(({ pod: { name }, generation }) => [name, generation]);
}

describe('tokens of intercepts outside the cluster', () => {
  it('a variable tells Secret and key, and is one that settings may name', () => {
    assert.match(VARIABLE, /^TRAFFICCOPY_INTERCEPT_TOKEN_[0-9A-F]{8}$/);
    const others = [
      { ...TOKEN, key: 'second' },
      { ...TOKEN, secret: 'new' },
    ].map(tokenVariable);
    assert.equal(new Set([VARIABLE, ...others]).size, 3);
  });

  it('targets that share a Secret share a variable', () => {
    const { spec } = trafficCopy({ targets: [OUTSIDE, { ...OUTSIDE, name: 'other' }, INSIDE] });
    assert.deepEqual(interceptTokens(spec as CheckedSpec), [TOKEN]);
  });

  it('an ephemeral container waits for the Secret, a sidecar does not: its pod has to start', () => {
    const reference = { name: 'old', key: 'token' };
    const ephemeral = ephemeralCopyContainer(CONTAINER, 1).env.find(({ name }) => name === VARIABLE);
    assert.deepEqual(ephemeral?.valueFrom, { secretKeyRef: { ...reference, optional: false } });
    const manifest = readPodManifest({ metadata: { name: 'a' }, spec: { containers: [{ name: 'app' }] } });
    const patch = JSON.stringify(sidecarPatch(manifest!, CONTAINER));
    const sidecar = { name: VARIABLE, valueFrom: { secretKeyRef: { ...reference, optional: true } } };
    assert.ok(patch.includes(JSON.stringify(sidecar)), patch);
  });

  it('a pod’s record tells with which tokens its copies were started', () => {
    const { name, env } = ephemeralCopyContainer(CONTAINER, 1);
    const spec = { ephemeralContainers: [{ name, env }], containers: [{ name: 'app', env }] };
    const record = readPod({ metadata: { name: 'a', namespace: 'shop', uid: 'u' }, spec });
    assert.deepEqual(
      record?.copies.map((copy) => copy.tokenVariables),
      [[VARIABLE]],
    );
  });
});

describe('decide: a target outside the cluster', () => {
  it('copies are told of it at once, with the variable of its token; no node is asked for anything', () => {
    const decision = outside(reporting({ isUp: true }));
    assert.deepEqual(decision.copySettings.get('uid-a')?.mappings, [
      {
        onlinePort: 8080,
        targets: [
          {
            name: 'old-hardware',
            endpoints: [
              {
                address: '10.16.12.11',
                port: 80,
                interceptHost: '10.16.12.12',
                interceptPort: 36524,
                tokenVariable: VARIABLE,
              },
            ],
          },
        ],
      },
    ]);
    assert.deepEqual(decision.nodes, new Map());
  });

  it('is ready when a copy has reached it', () => {
    const decision = outside(reporting({ isUp: true }));
    expect(decision, 'Ready', 'True', 'Copying');
    expect(decision, 'TargetsReady', 'True', 'Serving', /^1 target address is reached$/);
    assert.deepEqual(decision.status?.targets, [{ name: 'old-hardware', selected: 1, ready: 1 }]);
  });

  it('is not ready before', () => {
    const decision = outside({ sources: [pod('a', { copies: [withToken(1)] })], copies: [copyLink('uid-a')] });
    expect(decision, 'Ready', 'False', 'InterceptConnecting', /10\.16\.12\.12:36524/);
    assert.deepEqual(decision.status?.targets, [{ name: 'old-hardware', selected: 1, ready: 0 }]);
  });

  for (const [code, reason, advice] of [
    ['unreachable', 'InterceptUnreachable', /no answer; is the intercept running there.*NetworkPolicy/],
    ['refused', 'InterceptRefuses', /no answer; .*--new-token --reusable/],
    ['token', 'TokenMissing', /no answer; .*interceptTokenSecret\.key/],
  ] as const) {
    it(`says that the way is not up (${code}), and what to do`, () => {
      const decision = outside(reporting({ down: { code, message: 'no answer' } }));
      expect(decision, 'TargetsReady', 'False', reason, advice);
      expect(decision, 'Ready', 'False', reason);
      assert.ok(decision.events.some((event) => event.type === 'Warning' && event.reason === reason));
    });
  }

  it('that a copy has no token is told only when no successor is to come', () => {
    const down = { code: 'token', message: 'empty' } as const;
    expect(outside(reporting({ down }, [copyContainer(1)])), 'TargetsReady', 'False', 'InterceptConnecting');
    expect(outside(reporting({ down }, [withToken(0)])), 'TargetsReady', 'False', 'InterceptConnecting');
    const sidecar = outside(reporting({ down }, [withToken(0)]), { injection: 'Sidecar' });
    expect(sidecar, 'TargetsReady', 'False', 'TokenMissing');
  });

  it('a copy that is gone says nothing', () => {
    const given = reporting({ isUp: true });
    const decision = outside({ ...given, copies: given.copies!.map((copy) => ({ ...copy, isConnected: false })) });
    expect(decision, 'TargetsReady', 'False', 'InterceptConnecting');
  });

  it('one target inside and one outside: each is told about', () => {
    const endpoints = [{ endpoint: '10.16.12.11:80', isUp: true }];
    const decision = decide(
      observe({
        trafficCopy: trafficCopy({ targets: [INSIDE, OUTSIDE] }),
        sources: [pod('a', { copies: [withToken(1)] })],
        copies: [copyLink('uid-a', { report: copyReport({ endpoints }) })],
      }),
    );
    expect(decision, 'TargetsReady', 'True', 'Serving', /^1 target pod is served, 1 target address is reached$/);
    assert.equal(decision.status?.summary?.targets, '2/2');
  });
});

describe('decide: a copy that was started without the token', () => {
  const bare: Case = { sources: [pod('a', { copies: [copyContainer(1)] })], copies: [copyLink('uid-a')] };

  it('gets a successor, and counts as present until that has taken its place', () => {
    const decision = outside(bare);
    assert.deepEqual(injectedInto(decision), [['a', 2]]);
    assert.deepEqual(decision.status?.sources, { selected: 1, injected: 1, copying: 1 });
  });

  it('gets one only once', () => {
    const injected = new Map([['uid-a', { container: 'trafficcopy-aaaaaaaa-2', atMs: NOW_MS - 500 }]]);
    const { memory } = observe();
    assert.deepEqual(injectedInto(outside({ ...bare, rest: { memory: { ...memory, injected } } })), []);
    const copies = [copyContainer(1), withToken(2, { state: 'waiting', reason: 'ContainerCreating' })];
    assert.deepEqual(injectedInto(outside({ ...bare, sources: [pod('a', { copies })] })), []);
    const done = [crashed(1, 1000, 0), withToken(2)];
    assert.deepEqual(injectedInto(outside({ ...bare, sources: [pod('a', { copies: done })] })), []);
  });

  it('a sidecar gets an ephemeral container as successor', () => {
    const given = { ...bare, sources: [pod('a', { copies: [copyContainer(0)] })] };
    assert.deepEqual(injectedInto(outside(given)), [['a', 1]]);
  });

  it('a sidecar that started before the Secret was there gets one too, an ephemeral container does not', () => {
    const down = { code: 'token', message: 'empty' } as const;
    assert.deepEqual(injectedInto(outside(reporting({ down }, [withToken(0)]))), [['a', 1]]);
    assert.deepEqual(injectedInto(outside(reporting({ down }, [withToken(1)]))), []);
  });

  it('stays as it is where only new pods are injected, and the condition says to restart the pod', () => {
    const decision = outside(bare, { injection: 'Sidecar' });
    assert.deepEqual(injectedInto(decision), []);
    expect(decision, 'SourcesInjected', 'False', 'WaitingForNewPods', /restart it/);
  });

  it('another key of the Secret is another token', () => {
    const target = { ...OUTSIDE, interceptTokenSecret: { name: 'old', key: 'second' } };
    assert.deepEqual(injectedInto(outside(reporting({ isUp: true }), { targets: [target] })), [['a', 2]]);
  });

  it('a target that goes replaces nothing', () => {
    const decision = decide(
      observe({ ...reporting({ isUp: true }), intercepts: [intercept('node-2', { 'uid-t': 'serving' })] }),
    );
    assert.deepEqual(injectedInto(decision), []);
  });
});

describe('decide: a Secret that is not there', () => {
  const waiting = withToken(1, {
    state: 'waiting',
    reason: 'CreateContainerConfigError',
    message: 'secret "old" not found',
  });

  it('is named, with the commands that make it', () => {
    const decision = outside({ sources: [pod('a', { copies: [waiting] })], copies: [] });
    const words =
      /pod a waits for the Secret old with the key token: .*--new-token --reusable.* on 10\.16\.12\.12, then kubectl -n shop create secret generic old/;
    expect(decision, 'TargetsReady', 'False', 'TokenMissing', words);
    expect(decision, 'SourcesInjected', 'False', 'TokenMissing', /secret "old" not found/);
    assert.deepEqual(decision.injections, []);
  });

  it('while an earlier copy goes on for other targets', () => {
    const copies = [copyContainer(1), { ...waiting, name: `trafficcopy-${UID.slice(0, 8)}-2` }];
    const decision = decide(
      observe({
        trafficCopy: trafficCopy({ targets: [INSIDE, OUTSIDE] }),
        sources: [pod('a', { copies })],
        copies: [copyLink('uid-a')],
      }),
    );
    assert.deepEqual(decision.status?.sources, { selected: 1, injected: 1, copying: 1 });
    expect(decision, 'Ready', 'False', 'TokenMissing');
    expect(decision, 'Copying', 'True', 'Copying');
  });
});
