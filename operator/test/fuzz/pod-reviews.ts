/** AdmissionReviews: whatever pod is asked about, the answer is "allowed", and a patch only adds. */
import assert from 'node:assert/strict';
import { type FuzzTarget, jsonInputs } from '@trafficcopy/fuzz';
import type { SidecarOrder } from '../../src/injection/index.js';
import { judgePod, readPodReview, reviewAnswer } from '../../src/injection/pod-review.js';

const ORDER: SidecarOrder = {
  namespace: 'shop',
  selector: { matchLabels: { app: 'checkout' } },
  settings: {
    uid: '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
    image: 'trafficcopy-copy:1',
    imagePullPolicy: 'IfNotPresent',
    operatorAddress: '10.96.0.7:36524',
    logLevel: 'info',
    resources: {},
  },
  except: [{ matchLabels: { track: 'candidate' } }],
  refusal: undefined,
};
const OUTCOMES = new Map<string, number>();
const CONTAINER = { name: 'app', resources: { requests: { cpu: '100m' }, limits: { memory: '64Mi' } } };
const POD = {
  metadata: { labels: { app: 'checkout' }, annotations: {} },
  spec: {
    containers: [CONTAINER],
    initContainers: [{ name: 'init' }],
    volumes: [{ name: 'data' }],
    os: { name: 'linux' },
    nodeSelector: {},
    resources: {},
  },
};
const REVIEW = {
  apiVersion: 'admission.k8s.io/v1',
  request: { uid: 'review-1', namespace: 'shop', operation: 'CREATE', object: POD },
};

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const target: FuzzTarget = {
  seeds: [encoder.encode(JSON.stringify(REVIEW))],
  mutate: jsonInputs(),
  run: (input) => {
    let body: unknown;
    try {
      body = JSON.parse(decoder.decode(input));
    } catch {
      return 0;
    }
    const review = readPodReview(body);
    if (review === undefined) return 1;
    const verdict = judgePod(review, ORDER);
    const { response } = reviewAnswer(review.uid, verdict) as { response: { allowed: boolean } };
    assert.equal(response.allowed, true);
    assert.equal(verdict.patch !== undefined, verdict.outcome === 'Patched');
    for (const { op, path } of verdict.patch ?? []) {
      assert.ok(op === 'add' && /^\/spec\/(initContainers|volumes)(\/(0|-))?$/.test(path), path);
    }
    const known = OUTCOMES.get(verdict.outcome) ?? OUTCOMES.size;
    OUTCOMES.set(verdict.outcome, known);
    return 16 + known * 16 + (verdict.patch?.length ?? 0);
  },
};
export default target;
