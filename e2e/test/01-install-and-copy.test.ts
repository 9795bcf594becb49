import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { expectCommand } from '@trafficcopy/lab';
import { Cluster, Installation, Stage, type TrafficCopyResource, until } from '../src/index.js';

const RATE = 1000;
const FIRST_COPIED_MS = 10_000;
const COPIED_REQUESTS = 10_000;
const SETTLED_MS = 20_000;

let stage: Stage;
let copy: TrafficCopyResource;
let lives: string[];
let p99BeforeUs: number;

before(async () => {
  await new Installation(await Cluster.connect()).install();
  stage = await Stage.set('copy');
});
after(() => stage?.end());

test('helm test of a fresh installation succeeds', async () => {
  await stage.installation.test();
});

test('a Deployment under load is copied 10 s after kubectl apply at the latest', async (t) => {
  lives = await stage.lives(stage.source);
  await stage.load(RATE);
  await stage.untilAnswered(5 * RATE, 30_000);
  await stage.p99Us();
  await stage.untilAnswered(10 * RATE, 60_000);
  p99BeforeUs = await stage.p99Us();

  const startMs = performance.now();
  copy = await stage.copy();
  await until('the first copied request', FIRST_COPIED_MS, async () => (await stage.target.totals()).requests > 0);
  t.diagnostic(`first copied request after ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  await copy.untilCopying(3, FIRST_COPIED_MS);
  t.diagnostic(`all three sources copied after ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
});

test('every request after that arrives at the target exactly once, over nodes', async (t) => {
  const nodes = async (service: typeof stage.source): Promise<Set<string>> => {
    return new Set((await service.pods()).map((pod) => pod['spec'].nodeName));
  };
  const both = new Set([...(await nodes(stage.source)), ...(await nodes(stage.target))]);
  assert.ok(both.size >= 2, `all pods are on ${[...both].join()}`);

  const marks = await stage.mark();
  await stage.p99Us();
  await stage.untilAnswered(COPIED_REQUESTS, 60_000);
  const p99Us = await stage.p99Us();
  await stage.stopLoad();
  await stage.expectExactlyOnce(stage.target, marks);
  t.diagnostic(`client p99 ${p99BeforeUs} us before, ${p99Us} us while ${RATE} requests a second were copied`);
});

test('no client noticed: no error, no packet of a target, no reset; no source pod was restarted', async () => {
  await stage.expectClientsUndisturbed();
  assert.deepEqual(await stage.lives(stage.source), lives);
});

test('status and kubectl get tell what happened', async () => {
  const ready = await copy.untilCondition('Ready', 'True', 20_000);
  assert.notEqual(ready.message, '');
  await until('the account is closed', 20_000, async () => {
    const { status } = await copy.read();
    const { turnsCaptured, turnsDelivered, turnsPending, turnsLost } = status.traffic;
    assert.equal(turnsPending, 0);
    assert.equal(turnsCaptured, turnsDelivered + turnsLost, JSON.stringify(status));
    assert.ok(turnsDelivered >= COPIED_REQUESTS);
    return true;
  });
  const row = await expectCommand('kubectl', ['-n', stage.namespace.name, 'get', 'tcopy', 'shadow']);
  assert.match(
    row,
    /NAME +READY +REASON +SOURCES +TARGETS +RATE +LOST % +AGE\nshadow +True +\w+ +3\/3 +2\/2 +\d+ +0(\.\d+)? +\S+\n$/,
  );
  const events = await expectCommand('kubectl', ['-n', stage.namespace.name, 'get', 'events', '-o', 'name']);
  assert.match(events, /event\/shadow\./);
});

/** On machines that client, production, network and target share, more work for the target alone makes clients wait. */
test('what clients notice of it, in figures, beside a target that gets the same requests from clients of its own', async (t) => {
  const p99Us = async (): Promise<number> => {
    await stage.untilAnswered(2 * RATE, 30_000);
    await stage.p99Us();
    await stage.untilAnswered(10 * RATE, 60_000);
    return stage.p99Us();
  };
  await stage.reload(RATE);
  const copied = await p99Us();
  await copy.change({ suspend: true });
  await copy.untilCondition('Ready', 'False', SETTLED_MS, 'Suspended');
  const alone = await p99Us();
  const direct = await stage.loadTarget(RATE);
  const beside = await p99Us();
  await Promise.all(direct.map((load) => load.remove()));
  await copy.change({ suspend: false });
  await copy.untilCopying(3, SETTLED_MS);
  const copiedAgain = await p99Us();
  t.diagnostic(
    `client p99 at ${RATE} requests a second: ${copied} us copied, ${alone} us suspended, ${beside} us suspended while the target gets as much directly, ${copiedAgain} us copied`,
  );
  await stage.stopLoad();
  await stage.expectClientsUndisturbed();
});
