/** Objects of the API server, as records: pods, namespaces, nodes, quotas, TrafficCopies. What others wrote into them never ends the operator. */
import assert from 'node:assert/strict';
import { type FuzzTarget, jsonInputs } from '@trafficcopy/fuzz';
import { readNamespace } from '../../src/kube/namespace-record.js';
import { readNode } from '../../src/kube/node-record.js';
import { readPod } from '../../src/kube/pod-record.js';
import { readLimitRange, readResourceQuota } from '../../src/kube/quota-record.js';
import { readTrafficCopy } from '../../src/kube/traffic-copy-record.js';

const SPEC = {
  source: { selector: { matchLabels: { app: 'checkout' } } },
  targets: [{ name: 'canary', selector: { matchLabels: { app: 'canary' } }, ports: [{ source: 8080 }] }],
};
const METADATA = {
  name: 'a',
  namespace: 'shop',
  uid: 'u',
  resourceVersion: '1',
  labels: { app: 'a' },
  annotations: { 'trafficcopy.dev/allow-from': 'x,y' },
};
const COPY = { name: 'trafficcopy-1', image: 'copy:1', env: [{ name: 'TRAFFICCOPY_INTERCEPT_TOKEN_A' }] };
const OBJECTS = [
  {
    metadata: METADATA,
    spec: {
      nodeName: 'n',
      containers: [{ name: 'istio-proxy' }],
      initContainers: [COPY],
      ephemeralContainers: [COPY],
      hostNetwork: false,
    },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True' }],
      podIPs: [{ ip: '10.0.0.1' }],
      initContainerStatuses: [{ name: COPY.name, state: { running: {} } }],
      ephemeralContainerStatuses: [
        {
          name: COPY.name,
          state: { terminated: { reason: 'Error', message: 'm', exitCode: 1, finishedAt: '2026-03-01T08:00:00Z' } },
        },
      ],
    },
  },
  {
    metadata: { ...METADATA, deletionTimestamp: '2026-03-01T08:00:00Z', finalizers: ['f'] },
    spec: SPEC,
    status: { conditions: [] },
  },
  { metadata: METADATA, spec: { hard: { 'requests.cpu': '1' }, limits: [{ min: { cpu: '1' } }] } },
];
const READERS = [readPod, readTrafficCopy, readNamespace, readNode, readResourceQuota, readLimitRange];

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const target: FuzzTarget = {
  seeds: OBJECTS.map((object) => encoder.encode(JSON.stringify(object))),
  mutate: jsonInputs(),
  run: (input) => {
    let object: unknown;
    try {
      object = JSON.parse(decoder.decode(input));
    } catch {
      return 0;
    }
    let feature = 1;
    for (const read of READERS) {
      const record = read(object);
      feature = feature * 2 + (record === undefined ? 0 : 1);
      if (record === undefined) continue;
      assert.ok(typeof record.name === 'string' && typeof record.uid === 'string');
      if ('copies' in record) for (const { exitCode } of record.copies) assert.ok(Number.isFinite(exitCode));
    }
    return feature * 256 + Math.min(255, input.length >> 4);
  },
};
export default target;
