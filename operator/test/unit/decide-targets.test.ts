/** What intercepts and copies are told. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decide } from '../../src/traffic-copy/decide.js';
import { COPIED, expect, nodesOf, sizeOf } from '../kit/decided.js';
import { copyContainer, intercept, namespace, observe, pod, targetPod, trafficCopy, UID } from '../kit/observed.js';

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
