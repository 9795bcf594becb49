/** Golden pairs: what each kind of pod becomes. UPDATE_GOLDEN=1 writes them anew; read the difference then. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import {
  type CopyContainerSettings,
  ephemeralCopyContainer,
  type JsonPatchOperation,
  readPodManifest,
  sidecarPatch,
} from '../../src/injection/index.js';

const GOLDEN = fileURLToPath(new URL('../../../test/golden/', import.meta.url));
const SETTINGS: CopyContainerSettings = {
  uid: '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
  image: 'registry.example/trafficcopy-copy@sha256:0123',
  imagePullPolicy: 'IfNotPresent',
  operatorAddress: '10.96.0.7:36524',
  logLevel: 'info',
  resources: { requests: { cpu: '10m', memory: '96Mi' }, limits: { cpu: '500m', memory: '512Mi' } },
};

for (const name of readdirSync(GOLDEN).flatMap((file) => file.match(/^(.*)\.pod\.yaml$/)?.[1] ?? [])) {
  test(`${name}: the pod becomes the golden one`, () => {
    const pod = parse(readFileSync(`${GOLDEN}${name}.pod.yaml`, 'utf8'));
    const patch = sidecarPatch(readPodManifest(pod)!, SETTINGS);
    const path = `${GOLDEN}${name}.patched.yaml`;
    if (process.env['UPDATE_GOLDEN'] === '1')
      write(path, patch && stringify(applied(pod, patch), { aliasDuplicateObjects: false }));
    if (!existsSync(path)) return assert.equal(patch, undefined);
    assert.ok(patch);
    const patched = applied(pod, patch);
    assert.deepEqual(patched, parse(readFileSync(path, 'utf8')));
    // Asked again, there is nothing left to do.
    assert.equal(sidecarPatch(readPodManifest(patched)!, SETTINGS), undefined);
  });
}

test('two TrafficCopies add a copy each, whichever is asked first', () => {
  const pod = parse(readFileSync(`${GOLDEN}plain.pod.yaml`, 'utf8'));
  const other = { ...SETTINGS, uid: '9c5b94b1-35ad-49bb-b118-8e8fc24abf80' };
  for (const order of [
    [SETTINGS, other],
    [other, SETTINGS],
  ]) {
    const patched = order.reduce((now, one) => applied(now, sidecarPatch(readPodManifest(now)!, one)!), pod);
    const names = patched.spec.initContainers.map((container: { name: string }) => container.name).sort();
    assert.deepEqual(names, ['trafficcopy-3f2504e0-0', 'trafficcopy-9c5b94b1-0']);
    assert.equal(patched.spec.volumes.length, 1);
  }
});

test('the limit of memory is never below what the TrafficCopy lets the copy hold', () => {
  const pod = parse(readFileSync(`${GOLDEN}plain.pod.yaml`, 'utf8'));
  const limitFor = (memoryBytes: number): string => {
    const patched = applied(pod, sidecarPatch(readPodManifest(pod)!, { ...SETTINGS, memoryBytes })!);
    return patched.spec.initContainers[0].resources.limits.memory;
  };
  assert.equal(limitFor(2 ** 29), '512Mi');
  assert.equal(limitFor(2 ** 29 + 1), '513Mi');
});

test('an ephemeral container has nothing that the API server refuses in one', () => {
  const container: object = ephemeralCopyContainer(SETTINGS, 3);
  const refused = [
    'ports',
    'livenessProbe',
    'readinessProbe',
    'startupProbe',
    'lifecycle',
    'resources',
    'resizePolicy',
  ];
  for (const field of [...refused, 'restartPolicy', 'volumeMounts']) assert.ok(!(field in container), field);
  assert.deepEqual(Object.entries(container)[0], ['name', 'trafficcopy-3f2504e0-3']);
});

test('the copy has NET_RAW and no other right', () => {
  assert.deepEqual(ephemeralCopyContainer(SETTINGS, 1).securityContext, {
    runAsUser: 0,
    runAsGroup: 0,
    runAsNonRoot: false,
    privileged: false,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'], add: ['NET_RAW'] },
    seccompProfile: { type: 'RuntimeDefault' },
  });
});

test('what is no pod is not read as one, whatever it holds', () => {
  for (const value of [undefined, null, 7, 'pod', [], {}, { spec: null }, { spec: { containers: {} } }]) {
    assert.equal(readPodManifest(value), undefined);
  }
  const odd = {
    metadata: { labels: [1], annotations: 'x' },
    spec: { containers: [null, 7, { name: {} }], volumes: 'x' },
  };
  assert.ok(sidecarPatch(readPodManifest(odd)!, SETTINGS));
});

/** RFC 6902, of which only "add" into objects and lists is used. */
// biome-ignore lint/suspicious/noExplicitAny: a manifest of any shape
function applied(document: any, patch: readonly JsonPatchOperation[]): any {
  const copy = structuredClone(document);
  for (const { op, path, value } of patch) {
    assert.equal(op, 'add');
    const keys = path.split('/').slice(1);
    const last = keys.pop()!;
    const parent = keys.reduce((now, key) => now[key], copy);
    if (!Array.isArray(parent)) parent[last] = value;
    else parent.splice(last === '-' ? parent.length : Number(last), 0, value);
  }
  return copy;
}

function write(path: string, text: string | undefined): void {
  if (text === undefined) rmSync(path, { force: true });
  else writeFileSync(path, text);
}
