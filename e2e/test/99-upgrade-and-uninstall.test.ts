import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { expectCommand } from '@trafficcopy/lab';
import { type KubeObject, Stage, SYSTEM_NAMESPACE, type TrafficCopyResource, until } from '../src/index.js';

const FOLLOW_MS = 20_000;
/** Everything of a release outside of its namespace. */
const KINDS = 'clusterroles,clusterrolebindings,mutatingwebhookconfigurations';

let stage: Stage;
let copy: TrafficCopyResource;
let lives: string[];
let dumps: Map<string, string>;

before(async () => {
  stage = await Stage.set('upgrade', { source: { replicas: 2 } });
  dumps = await dumpTargets();
  lives = await stage.lives(stage.source);
  await stage.load(200);
  copy = await stage.copy();
  await copy.untilCopying(2, FOLLOW_MS);
});
after(() => stage?.end());

async function dumpTargets(): Promise<Map<string, string>> {
  const pods: KubeObject[] = await stage.target.pods();
  const entries = pods.map(async (pod) => [pod.metadata.name, await stage.inspector.dump(pod)] as const);
  return new Map(await Promise.all(entries));
}

test('helm upgrade replaces operators and intercepts; copying goes on afterwards, and no client notices', async () => {
  const old = new Set((await stage.installation.pods('intercept')).map((pod) => pod.metadata.uid));
  await stage.installation.install({ 'operator.logLevel': 'debug', 'intercept.logLevel': 'debug' });
  await until('every intercept is a new one', 60_000, async () => {
    const pods = await stage.installation.pods('intercept');
    return pods.length === old.size && pods.every((pod) => !old.has(pod.metadata.uid));
  });
  const { requests } = await stage.target.totals();
  await copy.untilCopying(2, FOLLOW_MS);
  await until(
    'the target gets requests',
    FOLLOW_MS,
    async () => (await stage.target.totals()).requests > requests + 50,
  );
  await stage.expectClientsUndisturbed();
  assert.deepEqual(await stage.lives(stage.source), lives);
});

test('helm uninstall ends every copy first, and nothing of it runs or is set up anywhere', async () => {
  await stage.installation.uninstall();
  await stage.stopLoad();
  await stage.expectClientsUndisturbed();
  assert.deepEqual(await stage.lives(stage.source), lives);

  for (const pod of await stage.source.pods()) {
    assert.deepEqual(await stage.inspector.processes(pod, 'copy --operator'), [], pod.metadata.name);
  }
  for (const [name, dump] of await dumpTargets())
    assert.equal(dump, dumps.get(name), `what ${name} has in its network`);
  const everywhere = await expectCommand('kubectl', ['get', KINDS, '-o', 'name']);
  assert.doesNotMatch(everywhere, /trafficcopy/);
  const labelled = await expectCommand('kubectl', ['get', 'nodes', '-l', 'trafficcopy.dev/intercept', '-o', 'name']);
  assert.equal(labelled, '');
  // Its namespace is the user's to delete: the test's pod, the Lease and the authority stay there until then.
  await until('nothing runs in its namespace', 60_000, async () => {
    const left = ['get', 'all,serviceaccounts,networkpolicies', '-n', SYSTEM_NAMESPACE, '-o', 'name'];
    const names = (await expectCommand('kubectl', left)).trim().split('\n');
    assert.deepEqual(
      names.filter((name) => !/^(serviceaccount\/default|pod\/trafficcopy-check|)$/.test(name)),
      [],
    );
    return true;
  });
});
