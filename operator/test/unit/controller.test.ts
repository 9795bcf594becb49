import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createAuthority } from '@trafficcopy/runtime';
import { Registry } from 'prom-client';
import { ClusterPods } from '../../src/cluster-pods.js';
import { Hub } from '../../src/hub/index.js';
import { ClusterAuthority, JoinPolicy } from '../../src/identity/index.js';
import { webhookConfiguration } from '../../src/injection/index.js';
import { EventRecorder, KUBE_VERBS, KubeClient, valueAt } from '../../src/kube/index.js';
import { ClusterCache, Controller, ControllerMetrics } from '../../src/traffic-copy/index.js';
import { eventually } from '../kit/eventually.js';
import { FakeApiServer } from '../kit/fake-api-server.js';
import { SPEC } from '../kit/observed.js';

const COPIES = 'trafficcopy.dev/v1alpha1/trafficcopies';
const SECRETS = 'v1/secrets';
/** Copies are told of it without an intercept of the cluster. */
const OUTSIDE_TARGET = {
  name: 'old',
  address: '10.16.12.11',
  intercept: '10.16.12.11:36524',
  interceptTokenSecret: { name: 'old' },
  ports: [{ source: 8080 }],
};
const FINALIZER = 'trafficcopy.dev/cleanup';
const TOKEN_NAME = 'trafficcopy-token-uid-shad';
const issuer = createAuthority();

let server: FakeApiServer;
let client: KubeClient;
let cache: ClusterCache;
let hub: Hub;
let controller: Controller;
let failures: string[];
/** Added to the clock of hub and controller. */
let skippedMs: number;

beforeEach(async () => {
  skippedMs = 0;
  failures = [];
  server = await new FakeApiServer().listen();
  client = new KubeClient({ connection: server.connection(), verbs: KUBE_VERBS });
  server.put('v1/namespaces', { metadata: { name: 'shop' } });
  server.put('v1/nodes', { metadata: { name: 'node-1' } });
  server.put('v1/nodes', { metadata: { name: 'node-2' } });
});

afterEach(async () => {
  await controller.rest();
  await cache.stop();
  await hub.close();
  client.connection.close();
  await server.close();
});

/** The operator without its sockets. */
async function start(): Promise<void> {
  const authority = new ClusterAuthority(await issuer);
  const now = () => Date.now() + skippedMs;
  cache = new ClusterCache({ client, onChange: (change) => controller.onClusterChange(change), onProblem: () => {} });
  const policy = new JoinPolicy({
    authority,
    pods: new ClusterPods(cache, 'system'),
    namespace: 'system',
    interceptServiceAccount: 'intercept',
    reviewToken: async () => ({}),
  });
  hub = new Hub({ policy, name: 'test', port: 0, now });
  const metrics = new ControllerMetrics(new Registry(), () => ({
    queueDepth: 0,
    trafficCopies: 0,
    podsKnown: 0,
    isLeader: true,
  }));
  controller = new Controller({
    client,
    cache,
    hub,
    policy,
    metrics,
    now,
    events: new EventRecorder({ client, instance: 'test', onProblem: () => {} }),
    container: {
      image: 'copy:1',
      imagePullPolicy: 'IfNotPresent',
      operatorAddress: '10.96.0.1:36524',
      logLevel: 'info',
      resources: {},
    },
    buildWebhook: (wishes) =>
      webhookConfiguration(wishes, { namespace: 'system', name: 'webhook', authority: authority.certificate }),
    onFailure: (_key, error) => failures.push(error.message),
  });
  await cache.start();
  controller.lead();
}

function putPod(name: string, app: string, nodeName: string, address: string, rest: object = {}): void {
  server.put('v1/pods', {
    metadata: { name, namespace: 'shop', labels: { app } },
    spec: { nodeName, containers: [{ name: 'main' }] },
    status: { phase: 'Running', podIPs: [{ ip: address }], conditions: [{ type: 'Ready', status: 'True' }], ...rest },
  });
}

function putShadow(spec: object = {}): void {
  server.put(COPIES, { metadata: { name: 'shadow', namespace: 'shop', generation: 1 }, spec: { ...SPEC, ...spec } });
}

function shadow(): unknown {
  return server.get(COPIES, 'shop', 'shadow');
}

function containersOf(name: string): string[] {
  const list = valueAt(server.get('v1/pods', 'shop', name), 'spec', 'ephemeralContainers') ?? [];
  return (list as { name: string }[]).map((container) => container.name);
}

function condition(type: string): { status: string; reason: string; message: string } | undefined {
  const list = valueAt(shadow(), 'status', 'conditions') as {
    type: string;
    status: string;
    reason: string;
    message: string;
  }[];
  return list?.find((one) => one.type === type);
}

function isLabelled(node: string): boolean {
  return valueAt(server.get('v1/nodes', undefined, node), 'metadata', 'labels', 'trafficcopy.dev/intercept') === 'true';
}

/** Writes to paths that match, Leases and events aside. */
function writes(pattern: RegExp): string[] {
  return server.writes
    .filter(({ path }) => !/leases|events/.test(path) && pattern.test(path))
    .map(({ method, path }) => `${method} ${path}`);
}

function attempts(pattern: RegExp): number {
  return server.attempts.filter((path) => pattern.test(path)).length;
}

function endContainers(name: string): void {
  const pod = server.get('v1/pods', 'shop', name)!;
  const ephemeralContainerStatuses = containersOf(name).map((container) => ({
    name: container,
    state: { terminated: { exitCode: 0, finishedAt: new Date().toISOString() } },
  }));
  server.put('v1/pods', { ...pod, status: { ...(pod['status'] as object), ephemeralContainerStatuses } });
}

function runContainers(name: string): void {
  const pod = server.get('v1/pods', 'shop', name)!;
  const ephemeralContainerStatuses = containersOf(name).map((container) => ({
    name: container,
    state: { running: {} },
  }));
  server.put('v1/pods', { ...pod, status: { ...(pod['status'] as object), ephemeralContainerStatuses } });
}

describe('controller', () => {
  it('a TrafficCopy: finalizer, Secret, copies, node label and status, each written once', async () => {
    putPod('a', 'checkout', 'node-1', '10.0.0.1');
    putPod('b', 'checkout', 'node-1', '10.0.0.2');
    putPod('t', 'canary', 'node-2', '10.0.1.1');
    putShadow();
    await start();
    await eventually('both copies', () => containersOf('a').length === 1 && containersOf('b').length === 1);
    await eventually('the label', () => isLabelled('node-2'));
    runContainers('a');
    runContainers('b');
    await eventually('the status', () => condition('SourcesInjected')?.reason === 'Injected');
    assert.deepEqual(valueAt(shadow(), 'metadata', 'finalizers'), [FINALIZER]);
    assert.ok(server.get(SECRETS, 'shop', TOKEN_NAME));
    assert.equal(writes(/trafficcopies\/shadow$/).length, 1);
    assert.equal(writes(/secrets/).length, 1);
    assert.equal(writes(/ephemeralcontainers/).length, 2);
    assert.equal(writes(/nodes/).length, 1);
    assert.deepEqual([isLabelled('node-1'), failures], [false, []]);
  });

  it('the Secret belongs to the TrafficCopy and holds its token', async () => {
    putPod('a', 'checkout', 'node-1', '10.0.0.1');
    putShadow();
    await start();
    const secret = await eventually('the Secret', () => server.get(SECRETS, 'shop', TOKEN_NAME));
    assert.equal(valueAt(secret, 'metadata', 'ownerReferences', '0', 'uid'), 'uid-shadow');
    assert.match(String(valueAt(secret, 'stringData', 'token')), /^tc1\./);
  });

  it('a new leader that finds all as it should be writes no status, no copy and no label again', async () => {
    putPod('a', 'checkout', 'node-1', '10.0.0.1');
    putPod('t', 'canary', 'node-2', '10.0.1.1');
    putShadow();
    await start();
    await eventually('the copy', () => containersOf('a').length === 1);
    runContainers('a');
    await eventually('the status', () => condition('SourcesInjected')?.reason === 'Injected' && isLabelled('node-2'));
    await controller.rest();
    server.writes.length = 0;
    skippedMs += 3_600_000;
    controller.lead();
    await eventually('the Secret is made sure of', () => writes(/secrets/).length === 1);
    putPod('t', 'canary', 'node-2', '10.0.1.2');
    await eventually('the new leader works', () => writes(/./).length > 0);
    assert.deepEqual(writes(/ephemeralcontainers|nodes|status|trafficcopies/), []);
  });

  it('credentials of a Secret reach the copies and no object of the cluster, and are followed', async () => {
    const put = (password: string): void => {
      const text = `- {protocol: redis, port: 8080, users: [{password: ${password}}]}`;
      const annotations = { 'trafficcopy.dev/allow-use-by': 'shadow' };
      const metadata = { name: 'trafficcopy-logins', namespace: 'shop', annotations };
      server.put(SECRETS, { metadata, data: { 'logins.yaml': Buffer.from(text).toString('base64') } });
    };
    putPod('source', 'checkout', 'node-1', '10.0.0.1');
    putShadow({ targets: [OUTSIDE_TARGET], credentialsSecret: { name: 'trafficcopy-logins' } });
    await start();
    const told: (string | undefined)[] = [];
    const { setCopySettings } = hub;
    hub.setCopySettings = (podUid, uid, settings) => {
      told.push(settings?.credentials);
      return setCopySettings.call(hub, podUid, uid, settings);
    };
    await eventually(
      'it is said that the Secret is missing',
      () => condition('Copying')?.reason === 'CredentialsMissing',
    );
    put('geheim-1');
    skippedMs += 60_000;
    putShadow({ targets: [OUTSIDE_TARGET], credentialsSecret: { name: 'trafficcopy-logins' }, multiply: 2 });
    await eventually('copies are told', () => told.at(-1)?.includes('geheim-1') === true);
    put('geheim-2');
    skippedMs += 60_000;
    putShadow({ targets: [OUTSIDE_TARGET], credentialsSecret: { name: 'trafficcopy-logins' }, multiply: 3 });
    await eventually('copies are told the new ones', () => told.at(-1)?.includes('geheim-2') === true);
    assert.doesNotMatch(JSON.stringify(server.writes), /geheim/);
    assert.deepEqual(failures, []);
  });

  it('a pod that comes later gets a copy, one that is opted out does not', async () => {
    putShadow();
    await start();
    await eventually('the status', () => condition('SourcesInjected')?.reason === 'NoSourcePods');
    server.put('v1/pods', {
      metadata: { name: 'out', namespace: 'shop', labels: { app: 'checkout', 'trafficcopy.dev/inject': 'false' } },
      spec: {},
      status: { phase: 'Running', podIPs: [{ ip: '10.0.0.9' }] },
    });
    putPod('late', 'checkout', 'node-1', '10.0.0.1');
    await eventually('the copy', () => containersOf('late').length === 1);
    assert.deepEqual(containersOf('out'), []);
  });

  it('deletion: waits for the copy, then Secret, label and finalizer go', async () => {
    putPod('a', 'checkout', 'node-1', '10.0.0.1');
    putPod('t', 'canary', 'node-2', '10.0.1.1');
    putShadow();
    await start();
    await eventually('the copy', () => containersOf('a').length === 1 && isLabelled('node-2'));
    runContainers('a');
    await eventually('the status', () => condition('SourcesInjected')?.reason === 'Injected');
    // No intercept has ever come: it is not waited for.
    skippedMs += 60_000;
    const { metadata } = server.get(COPIES, 'shop', 'shadow')!;
    const deletionTimestamp = new Date(Date.now() + skippedMs).toISOString();
    server.put(COPIES, { ...server.get(COPIES, 'shop', 'shadow')!, metadata: { ...metadata, deletionTimestamp } });
    await eventually('the label is gone', () => !isLabelled('node-2'));
    assert.ok(shadow(), 'a copy runs: the finalizer stays');
    assert.ok(server.get(SECRETS, 'shop', TOKEN_NAME));
    endContainers('a');
    await eventually('it is gone', () => shadow() === undefined);
    assert.equal(server.get(SECRETS, 'shop', TOKEN_NAME), undefined);
    assert.deepEqual(failures, []);
  });

  it('deleted before its finalizer stood: nothing is set up for it', async () => {
    putPod('a', 'checkout', 'node-1', '10.0.0.1');
    await start();
    const source = { selector: { matchLabels: { app: 'nothing' } } };
    server.put(COPIES, { metadata: { name: 'other', namespace: 'shop', generation: 1 }, spec: { ...SPEC, source } });
    await eventually('changes are watched', () => attempts(/trafficcopies.other.status/) > 0);
    // What the cache shows is gone by the time of the first write.
    putShadow();
    server.failure = { status: 404, message: 'not found' };
    await eventually('the finalizer was tried', () => attempts(/trafficcopies.shadow$/) > 0);
    await controller.rest();
    assert.equal(attempts(/uid-shad|ephemeralcontainers/), 0);
  });

  it('deleted by a request that the API server had begun before the finalizer stood: nothing is set up for it', async () => {
    putPod('a', 'checkout', 'node-1', '10.0.0.1');
    putPod('b', 'canary', 'node-2', '10.0.0.2');
    await start();
    // DELETE does not look again at what it has read: the object goes in spite of its finalizer.
    server.onStored = (path) => {
      if (path.endsWith('/trafficcopies/shadow')) server.remove(COPIES, 'shop', 'shadow');
    };
    putShadow();
    await eventually('the Secret, behind the finalizer', () => attempts(/secrets/) > 0);
    await eventually('no label is left', () => !isLabelled('node-2'));
    await controller.rest();
    assert.equal(attempts(/ephemeralcontainers/), 0);
    assert.deepEqual(failures, []);
  });

  it('the API server is away for a while: what was to be done is done afterwards', async () => {
    putPod('a', 'checkout', 'node-1', '10.0.0.1');
    await start();
    putShadow();
    server.failure = { status: 503, message: 'starting' };
    await eventually('a failed attempt', () => failures.length > 0);
    server.failure = undefined;
    await eventually('the copy', () => containersOf('a').length === 1);
  });
});
