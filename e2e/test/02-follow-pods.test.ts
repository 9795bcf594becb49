import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { expectCommand } from '@trafficcopy/lab';
import { DEPLOYMENT, type KubeObject, Stage, type TrafficCopyResource, until } from '../src/index.js';

const FOLLOW_MS = 10_000;

let stage: Stage;
let copy: TrafficCopyResource;

before(async () => {
  stage = await Stage.set('follow');
  await stage.load(200);
  copy = await stage.copy();
  await copy.untilCopying(3, 20_000);
});
after(() => stage?.end());

/** All sources are copied, and every target pod gets something, within the time that a change may take. */
async function expectFollowed(sources: number): Promise<number> {
  const startMs = performance.now();
  await copy.untilCopying(sources, FOLLOW_MS);
  const counts = new Map<string, number>();
  for (const { pod, requests } of await stage.target.totalsByPod()) counts.set(pod, requests);
  await until('every target pod gets requests', FOLLOW_MS, async () => {
    for (const { pod, requests } of await stage.target.totalsByPod()) {
      assert.ok(requests > (counts.get(pod) ?? 0), `${pod} got none`);
    }
    return true;
  });
  return (performance.now() - startMs) / 1000;
}

function initContainers(pod: KubeObject): string[] {
  return (pod['spec'].initContainers ?? []).map((container: { name: string }) => container.name);
}

test('the source is scaled from 3 to 6: new pods bring their copy with them', async (t) => {
  await stage.source.scale(6);
  await stage.source.ready();
  t.diagnostic(`followed ${(await expectFollowed(6)).toFixed(1)} s after the last pod was ready`);
  const sidecar = `trafficcopy-${await copy.shortUid()}-0`;
  const withSidecar = (await stage.source.pods()).filter((pod) => initContainers(pod).includes(sidecar));
  assert.equal(withSidecar.length, 3);
});

test('the source is scaled from 6 to 2: copies go with their pods', async () => {
  await stage.source.scale(2);
  await stage.source.ready();
  await expectFollowed(2);
});

test('the source is rolled out: all new pods are copied', async () => {
  await stage.source.restart();
  await stage.source.ready();
  await expectFollowed(2);
});

test('the target is rolled out: copying goes on to the new pods', async () => {
  await stage.target.restart();
  await stage.target.ready();
  await expectFollowed(2);
});

test('the target moves to another node: the intercept is there before the traffic is', async () => {
  const [pod] = await stage.target.pods();
  const node = pod?.['spec'].nodeName as string;
  const template = { spec: { template: { spec: { nodeSelector: { 'kubernetes.io/hostname': node } } } } };
  await stage.cluster.merge(DEPLOYMENT, stage.namespace.name, stage.target.name, template);
  await stage.target.ready();
  await expectFollowed(2);
  assert.deepEqual([...new Set((await stage.target.pods()).map((each) => each['spec'].nodeName))], [node]);
  const anywhere = { spec: { template: { spec: { nodeSelector: null } } } };
  await stage.cluster.merge(DEPLOYMENT, stage.namespace.name, stage.target.name, anywhere);
  await stage.target.ready();
  await expectFollowed(2);
});

test('a node is drained: copying follows the pods', async (t) => {
  const [pod] = await stage.target.pods();
  const node = pod?.['spec'].nodeName as string;
  t.after(() => expectCommand('kubectl', ['uncordon', node]));
  const options = ['--ignore-daemonsets', '--delete-emptydir-data', '--force', '--pod-selector=e2e-role!=load'];
  await expectCommand('kubectl', ['drain', node, ...options, '--timeout=120s'], { timeoutMs: 130_000 });
  await stage.source.ready();
  await stage.target.ready();
  await expectFollowed(2);
});

test('no packet of a target reached a client in all of it', async () => {
  await stage.expectNoLeak();
});

test('the ledger explains what was lost', async (t) => {
  await stage.stopLoad();
  await until('the account is closed', 20_000, async () => {
    const { status } = await copy.read();
    const { turnsCaptured, turnsDelivered, turnsPending, turnsLost } = status.traffic;
    assert.equal(turnsCaptured, turnsDelivered + turnsLost + turnsPending, JSON.stringify(status.traffic));
    assert.equal(turnsPending, 0);
    const losses: { reason: string; turns: number }[] = status.losses ?? [];
    assert.equal(
      losses.reduce((all, loss) => all + loss.turns, 0),
      turnsLost,
    );
    t.diagnostic(
      `${turnsDelivered} delivered, ${turnsLost} lost: ${losses.map((l) => `${l.reason} ${l.turns}`).join(', ')}`,
    );
    return true;
  });
});
