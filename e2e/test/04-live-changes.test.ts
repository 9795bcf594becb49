import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ShopService, Stage, TestNamespace, type TrafficCopyResource, until } from '../src/index.js';

const START_MS = 20_000;
/** A change reaches running copies within 2 s; the rest is for what was under way, and for looking. */
const CHANGE_MS = 5000;

let stage: Stage;
let next: ShopService;
let elsewhere: TestNamespace;

before(async () => {
  stage = await Stage.set('changes', { source: { replicas: 2 } });
  elsewhere = await TestNamespace.create(stage.cluster, 'changes-elsewhere');
  next = await new ShopService(stage.cluster, stage.namespace.name, 'checkout-next', { version: 2 }).deploy();
  await stage.load(200);
});
after(async () => {
  await stage?.end();
  await elsewhere?.remove();
});

function toNext(namespace?: string): Record<string, unknown> {
  const place = namespace === undefined ? {} : { namespace };
  return { name: 'next', ...place, selector: { matchLabels: next.labels }, ports: [{ source: 8080 }] };
}

/** Waits until nothing arrives any more. */
async function untilSilent(service: ShopService): Promise<void> {
  let last = -1;
  await until(`${service.name} gets nothing any more`, CHANGE_MS, async () => {
    const { requests } = await service.totals();
    const isSilent = requests === last;
    last = requests;
    return isSilent;
  });
}

async function untilBusy(service: ShopService): Promise<void> {
  const { requests } = await service.totals();
  await until(
    `${service.name} gets requests`,
    CHANGE_MS,
    async () => (await service.totals()).requests > requests + 50,
  );
}

test('two TrafficCopies on one source: each target gets every request once', async () => {
  const first = await stage.copy();
  const second = await stage.copy({ targets: [toNext()] }, 'second');
  await Promise.all([first.untilCopying(2, START_MS), second.untilCopying(2, START_MS)]);
  const marks = await stage.mark();
  await stage.untilAnswered(2000, 60_000);
  await stage.stopLoad();
  await Promise.all([stage.expectExactlyOnce(stage.target, marks), stage.expectExactlyOnce(next, marks)]);
  await stage.expectClientsUndisturbed();
  await Promise.all([first.remove(), second.remove()]);
});

test('one TrafficCopy with two targets: each gets every request once', async () => {
  await Promise.all([stage.target.forget(), next.forget()]);
  await stage.reload(200);
  const copy = await stage.copy({ targets: [stage.toTarget(), toNext()] }, 'both');
  await copy.untilCopying(2, START_MS);
  const marks = await stage.mark();
  await stage.untilAnswered(2000, 60_000);
  await stage.stopLoad();
  await Promise.all([stage.expectExactlyOnce(stage.target, marks), stage.expectExactlyOnce(next, marks)]);
  await stage.reload(200);
  await copy.change({ targets: [stage.toTarget()] });
  await untilSilent(next);
  await untilBusy(stage.target);
  await copy.remove();
});

test('a target in another namespace gets nothing until that namespace consents, and a condition says how', async () => {
  const foreign = await new ShopService(stage.cluster, elsewhere.name, 'checkout-next', { version: 2 }).deploy();
  const copy = await stage.copy({ targets: [toNext(elsewhere.name)] }, 'foreign');
  const refused = await copy.untilCondition('TargetsReady', 'False', START_MS);
  assert.match(refused.message, /trafficcopy\.dev\/allow-copies-from/);
  assert.match(refused.message, new RegExp(elsewhere.name));
  assert.equal((await foreign.totals()).requests, 0);

  const consent = async (value: string | null): Promise<unknown> => {
    const annotations = { 'trafficcopy.dev/allow-copies-from': value };
    const kind = { apiVersion: 'v1', kind: 'Namespace' };
    return stage.cluster.merge(kind, undefined, elsewhere.name, { metadata: { annotations } });
  };
  await consent(`shop,${stage.namespace.name}`);
  await copy.untilCopying(2, START_MS);
  await untilBusy(foreign);
  await consent(null);
  await untilSilent(foreign);
  await copy.remove();
});

test('suspend, percentage and multiply change running copies without a restart of anything', async () => {
  const copy: TrafficCopyResource = await stage.copy({}, 'live');
  await copy.untilCopying(2, START_MS);
  await untilBusy(stage.target);
  const containers = await copyContainers();

  await copy.change({ suspend: true });
  await untilSilent(stage.target);
  await copy.change({ suspend: false });
  await untilBusy(stage.target);
  await copy.change({ sample: { percent: 0 } });
  await copy.untilCondition('Ready', 'True', START_MS);

  // Fresh connections only: a session that goes on stays as it was drawn.
  for (const [spec, share] of [
    [{ sample: { percent: 50 } }, 0.5],
    [{ sample: { percent: 100 }, multiply: 3 }, 3],
  ] as const) {
    await copy.change(spec);
    await copy.untilCopying(2, START_MS);
    await stage.stopLoad();
    await untilSilent(stage.target);
    await stage.target.forget();
    await stage.reloadFresh(200);
    await stage.untilAnswered(2000, 60_000);
    const sent = (await stage.stopLoad()).reduce((all, report) => all + report.requests, 0);
    await untilSilent(stage.target);
    const ratio = (await stage.target.totals()).requests / sent;
    assert.ok(ratio > share * 0.8 && ratio < share * 1.2, `${ratio} of the requests arrived, not ${share}`);
    if (share > 1) assert.equal(ratio, share);
  }
  assert.deepEqual(await copyContainers(), containers);
  await copy.remove();
});

test('a ramp of a week lets hardly anything through, by one clock; a short one is over at once', async () => {
  const copy = await stage.copy({ ramp: '168h' }, 'ramped');
  const ready = await copy.untilCondition('Ready', 'True', START_MS, 'Ramping');
  const { rampStartTime } = (await copy.read())['status'];
  assert.match(ready.message, /spec\.ramp raises the load until /);
  const endMs = Date.parse(/until (\S+)$/.exec(ready.message)![1]!);
  assert.equal(endMs - Date.parse(rampStartTime), 168 * 3_600_000);
  await untilSilent(stage.target);
  await stage.target.forget();
  await stage.reloadFresh(200);
  await stage.untilAnswered(2000, 60_000);
  const sent = (await stage.stopLoad()).reduce((all, report) => all + report.requests, 0);
  const { requests } = await stage.target.totals();
  assert.ok(requests < sent / 10, `${requests} of ${sent} requests arrived`);

  await copy.change({ ramp: '1s' });
  await copy.untilCondition('Ready', 'True', START_MS, 'Copying');
  assert.equal((await copy.read())['status'].rampStartTime, rampStartTime);
  await stage.target.forget();
  await stage.reload(200);
  const marks = await stage.mark();
  await stage.untilAnswered(2000, 60_000);
  await stage.stopLoad();
  await stage.expectExactlyOnce(stage.target, marks);

  await stage.reload(200);
  await copy.change({ suspend: true, ramp: '168h' });
  await untilSilent(stage.target);
  await copy.change({ suspend: false });
  await copy.untilCondition('Ready', 'True', START_MS, 'Ramping');
  assert.ok(Date.parse((await copy.read())['status'].rampStartTime) > Date.parse(rampStartTime), 'it begins anew');
  await copy.remove();
});

test('a limit of CPU makes running copies copy less, and says so; without it all is copied again', async () => {
  await stage.reloadFresh(500);
  const copy = await stage.copy({ multiply: 20 }, 'limited-cpu');
  await copy.untilCopying(2, START_MS);
  const containers = await copyContainers();
  await copy.change({ limits: { cpu: '10m' } });
  const degraded = await copy.untilCondition('Degraded', 'True', 2 * START_MS, 'CopyProblem');
  assert.match(
    degraded.message,
    /the safety budget \(spec\.limits\.cpu\) is used up: [\d.]+ % of connections are copied/,
  );
  await copy.change({ limits: { cpu: null } });
  // Packets that were dropped at the bound may be told of for a minute.
  await until('nothing is said of the budget', START_MS, async () => {
    return !(await copy.condition('Degraded'))?.message.includes('safety budget');
  });
  assert.deepEqual(await copyContainers(), containers);
  await copy.remove();
});

async function copyContainers(): Promise<unknown[]> {
  const pods = await stage.source.pods();
  return pods.flatMap((pod) => {
    const statuses: { containerID: string }[] = pod['status'].ephemeralContainerStatuses ?? [];
    return statuses.map((each) => each.containerID);
  });
}

test('a duration ends it, and the resource stays and tells the result', async () => {
  await stage.reload(200);
  const copy = await stage.copy({ duration: '15s' }, 'limited');
  await copy.untilCopying(2, START_MS);
  await untilBusy(stage.target);
  const ready = await copy.untilCondition('Ready', 'False', 15_000 + START_MS, 'Completed');
  assert.notEqual(ready.message, '');
  await untilSilent(stage.target);
  const { status } = await copy.read();
  assert.ok(Date.parse(status.completionTime) >= Date.parse(status.startTime) + 15_000);
  assert.ok(status.traffic.turnsDelivered > 0);
  await copy.remove();
  await stage.stopLoad();
  await stage.expectClientsUndisturbed();
});
