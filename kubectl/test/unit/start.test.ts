import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ValueProblem } from '@trafficcopy/runtime';
import { ClusterError } from '../../src/cluster/cluster-error.js';
import { podSelectorOf } from '../../src/start/pod-selector.js';
import { portPairValue } from '../../src/start/port-pair-value.js';
import { trafficCopyManifest } from '../../src/start/traffic-copy-manifest.js';
import { workloadValue } from '../../src/start/workload-reference.js';

describe('KIND/NAME of a workload', () => {
  for (const [text, kind, name, namespace] of [
    ['deploy/checkout', 'Deployment', 'checkout', undefined],
    ['Deployment/checkout', 'Deployment', 'checkout', undefined],
    ['sts/db-0.a', 'StatefulSet', 'db-0.a', undefined],
    ['staging/svc/checkout', 'Service', 'checkout', 'staging'],
  ] as const) {
    it(`${text} is ${kind} ${name}`, () => {
      const { kind: readKind, name: readName, namespace: readNamespace } = workloadValue.parse(text);
      assert.deepEqual([readKind, readName, readNamespace], [kind, name, namespace]);
    });
  }
  for (const text of [
    'checkout',
    'pod/checkout',
    'deploy/',
    '/checkout',
    'a/b/c/d',
    'deploy/Check_out',
    'A/deploy/x',
    '',
  ]) {
    it(`«${text}» is refused`, () => assert.throws(() => workloadValue.parse(text), ValueProblem));
  }
});

describe('SOURCE:TARGET ports', () => {
  it('one number is both', () => assert.deepEqual(portPairValue.parse('8080'), { source: 8080, target: 8080 }));
  it('two are told apart', () => assert.deepEqual(portPairValue.parse('80:9090'), { source: 80, target: 9090 }));
  for (const text of ['0', '65536', '80:', ':80', '80:0', 'http', '80:90:100', '']) {
    it(`«${text}» is refused`, () => assert.throws(() => portPairValue.parse(text), ValueProblem));
  }
});

describe('the pods of a workload', () => {
  it('a Deployment has a label selector', () => {
    const selector = { matchLabels: { app: 'checkout' } };
    assert.deepEqual(podSelectorOf({ kind: 'Deployment', spec: { selector } }), selector);
  });

  it('a Service has plain labels', () => {
    assert.deepEqual(podSelectorOf({ kind: 'Service', spec: { selector: { app: 'a' } } }), {
      matchLabels: { app: 'a' },
    });
  });

  for (const spec of [{}, { selector: {} }, undefined]) {
    it(`a Service with ${JSON.stringify(spec)} selects none and is refused`, () => {
      assert.throws(() => podSelectorOf({ kind: 'Service', spec }), ClusterError);
    });
  }
});

describe('the resource that start makes', () => {
  const target = { name: 'canary', namespace: 'shop', selector: { matchLabels: { app: 'canary' } } };
  const input = {
    name: 'checkout-copy',
    namespace: 'shop',
    source: { matchLabels: { app: 'checkout' } },
    ports: [{ source: 8080, target: 8080 }],
    percent: undefined,
    multiply: undefined,
    ramp: undefined,
    duration: undefined,
  };

  it('what was not asked for is left to the schema', () => {
    const { spec } = trafficCopyManifest({ ...input, targets: [target] });
    assert.deepEqual(spec, {
      source: { selector: { matchLabels: { app: 'checkout' } } },
      targets: [{ name: 'canary', selector: target.selector, ports: input.ports }],
    });
  });

  it('a foreign namespace, share, number and time are named', () => {
    const asked = {
      ...input,
      targets: [{ ...target, namespace: 'staging' }],
      percent: 10,
      multiply: 2,
      ramp: '10m',
      duration: '1h',
    };
    const spec = trafficCopyManifest(asked).spec as Record<string, unknown>;
    assert.deepEqual((spec['targets'] as { namespace?: string }[])[0]?.namespace, 'staging');
    const { sample, multiply, ramp, duration } = spec;
    assert.deepEqual([sample, multiply, ramp, duration], [{ percent: 10 }, 2, '10m', '1h']);
  });
});
