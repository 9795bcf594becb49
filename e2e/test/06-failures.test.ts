import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DEPLOYMENT, NODE, POD, Stage, SYSTEM_NAMESPACE, type TrafficCopyResource, until } from '../src/index.js';

const RECOVERED_MS = 15_000;
/** A Lease that nobody renews has to run out first. */
const TAKEN_OVER_MS = 30_000;
const OPERATOR = 'trafficcopy-operator';

let stage: Stage;
let copy: TrafficCopyResource;
let lives: string[];

before(async () => {
  stage = await Stage.set('failures');
  lives = await stage.lives(stage.source);
  await stage.load(200);
  copy = await stage.copy();
  await copy.untilCopying(3, 20_000);
});
after(async () => {
  await stage?.cluster.merge(DEPLOYMENT, SYSTEM_NAMESPACE, OPERATOR, { spec: { replicas: 2 } });
  await stage?.end();
});

/** Every target pod gets requests again; production has noticed nothing. */
async function expectCopied(timeoutMs: number): Promise<void> {
  const before = new Map((await stage.target.totalsByPod()).map(({ pod, requests }) => [pod, requests]));
  await until('every target pod gets requests', timeoutMs, async () => {
    for (const { pod, requests } of await stage.target.totalsByPod()) {
      assert.ok(requests > (before.get(pod) ?? 0) + 20, `${pod} got ${requests - (before.get(pod) ?? 0)}`);
    }
    return true;
  });
  await stage.expectClientsUndisturbed();
  assert.deepEqual(await stage.lives(stage.source), lives);
}

test('a copy is killed: another one takes its place, in the same pod', async (t) => {
  const [pod] = await stage.source.pods();
  assert.ok(pod);
  const startMs = performance.now();
  await stage.inspector.kill(pod, 'copy --operator');
  await until(
    'it has another one',
    RECOVERED_MS,
    async () => (await ephemeralContainers(pod.metadata.name)).length === 2,
  );
  await copy.untilCopying(3, RECOVERED_MS);
  t.diagnostic(`copied again after ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  await expectCopied(RECOVERED_MS);
});

async function ephemeralContainers(name: string): Promise<unknown[]> {
  return (await stage.cluster.read(POD, stage.namespace.name, name))['spec'].ephemeralContainers ?? [];
}

test('an intercept is killed: nothing leaks meanwhile, and the next one goes on', async () => {
  const [pod] = await stage.installation.pods('intercept');
  assert.ok(pod);
  await stage.inspector.kill(pod, 'intercept --operator');
  await expectCopied(RECOVERED_MS);
});

test('an intercept pod is deleted without a word: the next one goes on', async () => {
  const [pod] = await stage.installation.pods('intercept');
  assert.ok(pod);
  await stage.cluster.remove(POD, SYSTEM_NAMESPACE, pod.metadata.name, '?gracePeriodSeconds=0');
  await until('another one is there', RECOVERED_MS, async () => {
    const pods = await stage.installation.pods('intercept');
    return pods.some((each) => each['spec'].nodeName === pod['spec'].nodeName && each['status'].phase === 'Running');
  });
  await expectCopied(RECOVERED_MS);
});

test('the operator that leads is killed: copying goes on, the other one leads', async (t) => {
  const leader = await stage.installation.leader();
  const startMs = performance.now();
  await stage.inspector.kill(leader, 'operator');
  await expectCopied(RECOVERED_MS);
  await copy.change({ sample: { percent: 100, seed: 1 } });
  await copy.untilObserved(TAKEN_OVER_MS);
  t.diagnostic(`the resource was looked after again ${((performance.now() - startMs) / 1000).toFixed(1)} s later`);
  await copy.untilCopying(3, RECOVERED_MS);
});

test('no operator at all: copying goes on, and pods start though the webhook does not answer', async () => {
  await stage.cluster.merge(DEPLOYMENT, SYSTEM_NAMESPACE, OPERATOR, { spec: { replicas: 0 } });
  await until('no operator is left', 60_000, async () => (await stage.installation.pods('operator')).length === 0);
  await expectCopied(RECOVERED_MS);
  const webhook = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'MutatingWebhookConfiguration' };
  assert.notEqual(await stage.cluster.find(webhook, undefined, 'trafficcopy'), undefined);
  await stage.source.scale(4);
  await stage.source.ready();

  await stage.cluster.merge(DEPLOYMENT, SYSTEM_NAMESPACE, OPERATOR, { spec: { replicas: 2 } });
  await copy.untilCopying(4, 60_000);
  lives = await stage.lives(stage.source);
});

test('the API server restarts: production and copying go on, changes are followed afterwards', async (t) => {
  const nodes = await stage.cluster.list(NODE, undefined, 'node-role.kubernetes.io/control-plane');
  const killed = 'pids=$(pgrep -x kube-apiserver) && kill -9 $pids';
  await Promise.allSettled(nodes.map((node) => stage.inspector.onNode(node.metadata.name, killed)));
  await until('it answers again', 90_000, async () => stage.cluster.request('GET', '/readyz'));
  const startMs = performance.now();
  await copy.change({ sample: { percent: 100, seed: 2 } });
  await copy.untilObserved(RECOVERED_MS);
  t.diagnostic(`a change was followed ${((performance.now() - startMs) / 1000).toFixed(1)} s after it was back`);
  await copy.untilCopying(4, RECOVERED_MS);
  await expectCopied(RECOVERED_MS);
});

test('the operator ends in order: the other one leads at once', async () => {
  const leader = await stage.installation.leader();
  await stage.cluster.remove(POD, SYSTEM_NAMESPACE, leader.metadata.name);
  await until('another one leads', RECOVERED_MS, async () => {
    return (await stage.installation.leader()).metadata.name !== leader.metadata.name;
  });
  await copy.change({ sample: { percent: 100, seed: 3 } });
  await copy.untilObserved(RECOVERED_MS);
  await expectCopied(RECOVERED_MS);
});
