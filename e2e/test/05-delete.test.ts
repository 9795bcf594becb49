import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type KubeObject, NODE, Stage, SYSTEM_NAMESPACE, type TrafficCopyResource, until } from '../src/index.js';

const GONE_MS = 10_000;
const SECRET = { apiVersion: 'v1', kind: 'Secret' };
const WEBHOOK = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'MutatingWebhookConfiguration' };

let stage: Stage;
let copy: TrafficCopyResource;
let dumps: Map<string, string>;
let labels: unknown;

before(async () => {
  stage = await Stage.set('delete', { source: { replicas: 2 } });
  labels = await nodeLabels();
  dumps = await dumpAll();
  await stage.load(200);
});
after(() => stage?.end());

async function nodeLabels(): Promise<unknown> {
  const nodes = await stage.cluster.list(NODE);
  return nodes.map(({ metadata }) => [
    metadata.name,
    metadata.labels,
    metadata.annotations?.['trafficcopy.dev/intercept'],
  ]);
}

async function dumpAll(): Promise<Map<string, string>> {
  const pods = [...(await stage.source.pods()), ...(await stage.target.pods())];
  const entries = pods.map(async (pod) => [pod.metadata.name, await stage.inspector.dump(pod)] as const);
  return new Map(await Promise.all(entries));
}

async function copyProcesses(pod: KubeObject): Promise<number[]> {
  return stage.inspector.processes(pod, 'copy --operator');
}

test('while copying, the target pods hold rules and the source pods a process', async () => {
  copy = await stage.copy();
  await copy.untilCopying(2, 20_000);
  for (const pod of await stage.target.pods()) {
    assert.notEqual(await stage.inspector.dump(pod), dumps.get(pod.metadata.name), 'the dump shows no change');
  }
  for (const pod of await stage.source.pods()) assert.ok((await copyProcesses(pod)).length > 0);
  assert.notEqual(await stage.cluster.find(WEBHOOK, undefined, 'trafficcopy'), undefined);
});

test('10 s after kubectl delete nothing of it is left: no copy, rule, sysctl, label, Secret, webhook', async (t) => {
  const secret = `trafficcopy-token-${await copy.shortUid()}`;
  assert.notEqual(await stage.cluster.find(SECRET, stage.namespace.name, secret), undefined);
  const startMs = performance.now();
  await copy.remove(GONE_MS);
  t.diagnostic(`gone after ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  assert.equal(await stage.cluster.find(SECRET, stage.namespace.name, secret), undefined);
  assert.equal(await stage.cluster.find(WEBHOOK, undefined, 'trafficcopy'), undefined);
  assert.deepEqual(await nodeLabels(), labels);
  for (const pod of await stage.source.pods()) assert.deepEqual(await copyProcesses(pod), [], pod.metadata.name);
  for (const [name, dump] of await dumpAll()) assert.equal(dump, dumps.get(name), `what ${name} has in its network`);
});

test('the intercepts leave their nodes', async () => {
  await until('no intercept pod is left', 60_000, async () => {
    assert.deepEqual(
      (await stage.installation.pods('intercept')).map((pod) => pod.metadata.name),
      [],
    );
    return true;
  });
});

test('deleted in the middle of everything that it sets up, it leaves nothing either', async () => {
  for (const delayMs of [0, 300, 1500]) {
    copy = await stage.copy({}, `brief-${delayMs}`);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    await copy.remove(30_000);
  }
  await until('all is as it was', 30_000, async () => {
    for (const pod of await stage.source.pods()) assert.deepEqual(await copyProcesses(pod), [], pod.metadata.name);
    for (const [name, dump] of await dumpAll()) assert.equal(dump, dumps.get(name), name);
    assert.deepEqual(await nodeLabels(), labels);
    return true;
  });
});

test('a namespace that is deleted with its TrafficCopy does not hang', async () => {
  copy = await stage.copy({}, 'last');
  await copy.untilCopying(2, 20_000);
  await stage.stopLoad();
  await stage.expectClientsUndisturbed();
  await stage.namespace.remove();
  assert.equal(await stage.cluster.find(WEBHOOK, undefined, 'trafficcopy'), undefined);
  await until('the labels are as they were', 30_000, async () => {
    assert.deepEqual(await nodeLabels(), labels);
    return true;
  });
  assert.ok(await stage.installation.isInstalled(), SYSTEM_NAMESPACE);
});
