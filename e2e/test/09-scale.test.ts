import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  Cluster,
  createPaperPod,
  Installation,
  inParallel,
  type KubeObject,
  TestNamespace,
  TrafficCopyResource,
  until,
} from '../src/index.js';

const COPIES = 200;
const PODS_PER_COPY = 25;
const LANES = 24;
const SETTLED_MS = 240_000;
/** Looking costs the API server as much as some changes do. */
const LOOK_MS = 2000;
const RECONCILE_SECONDS_MAX = 1;
const MEMORY_MAX = 256 * 1024 * 1024;

let cluster: Cluster;
let installation: Installation;
let namespace: TestNamespace;
let copies: TrafficCopyResource[];

before(async () => {
  cluster = await Cluster.connect();
  installation = new Installation(cluster);
  await installation.ensure();
  namespace = await TestNamespace.create(cluster, 'scale');
  const pods = Array.from({ length: COPIES * PODS_PER_COPY }, (_, index) => index);
  await inParallel(pods, LANES, async (index) => {
    const labels = { app: `service-${index % COPIES}` };
    const address = `198.51.${100 + (index >> 8)}.${index & 255}`;
    await createPaperPod(cluster, namespace.name, `pod-${index}`, labels, address);
  });
  copies = Array.from(
    { length: COPIES },
    (_, index) => new TrafficCopyResource(cluster, namespace.name, `copy-${index}`),
  );
});
after(async () => {
  // Copies in pods of paper never start, so each of them is waited for: many at once.
  await inParallel(copies ?? [], LANES * 3, (copy) => copy.remove(120_000));
  await namespace?.remove();
});

function specOf(index: number): Record<string, unknown> {
  return {
    source: { selector: { matchLabels: { app: `service-${index}` } } },
    targets: [{ name: 'canary', selector: { matchLabels: { app: `canary-${index}` } }, ports: [{ source: 8080 }] }],
  };
}

async function observed(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  const all: KubeObject[] = await cluster.list(
    { apiVersion: 'trafficcopy.dev/v1alpha1', kind: 'TrafficCopy' },
    namespace.name,
  );
  return all.filter(({ metadata, status }) => status?.observedGeneration === metadata['generation']).length;
}

/** Writes to the API server since the operator started, its Lease and events aside. */
async function writes(): Promise<number> {
  const metrics = await installation.metrics(await installation.leader());
  const counters = [...metrics].filter(([name]) => name.startsWith('trafficcopy_operator_api_writes_total'));
  assert.ok(counters.length > 0, 'it counts no writes');
  return counters.reduce((sum, [, value]) => sum + value, 0);
}

/** Waits until the operator has written nothing for two looks. */
async function settledWrites(): Promise<number> {
  let last = -1;
  return until('the operator has nothing more to write', SETTLED_MS, async () => {
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const now = await writes();
    const isSettled = now === last;
    last = now;
    return isSettled ? now : undefined;
  });
}

test(`${COPIES} TrafficCopies over ${COPIES * PODS_PER_COPY} pods are all looked after`, async (t) => {
  const startMs = performance.now();
  await inParallel(copies, LANES / 4, async (copy) => copy.apply(specOf(copies.indexOf(copy))));
  await until('every TrafficCopy has a status', SETTLED_MS, async () => {
    const count = await observed();
    assert.equal(count, COPIES);
    return true;
  });
  t.diagnostic(`every status was written ${((performance.now() - startMs) / 1000).toFixed(1)} s after the first`);
});

test('a change of each costs one write', async (t) => {
  const before = await settledWrites();
  await inParallel(copies, LANES / 4, (copy) => copy.change({ sample: { percent: 50 } }));
  await until('every change is followed', SETTLED_MS, async () => (await observed()) === COPIES);
  const cost = (await settledWrites()) - before;
  t.diagnostic(`${cost} writes for ${COPIES} changes`);
  assert.ok(cost <= COPIES, `${cost} writes for ${COPIES} changes`);
});

test('99 % of reconciliations take less than a second, in less than 256 MB', async (t) => {
  const metrics = await installation.metrics(await installation.leader());
  const memory = metrics.get('process_resident_memory_bytes') ?? Number.NaN;
  const { p99, count } = histogram(metrics, 'trafficcopy_operator_reconcile_seconds');
  t.diagnostic(`${count} reconciliations, 99 % below ${p99} s; ${Math.round(memory / 1024 / 1024)} MiB`);
  assert.ok(p99 <= RECONCILE_SECONDS_MAX);
  assert.ok(memory < MEMORY_MAX);
});

/** The bound of the bucket in which the 99th percentile is. */
function histogram(metrics: ReadonlyMap<string, number>, name: string): { p99: number; count: number } {
  const buckets = new Map<number, number>();
  for (const [key, value] of metrics) {
    const bound = key.startsWith(`${name}_bucket`) ? /le="([^"]+)"/.exec(key)?.[1] : undefined;
    if (bound === undefined) continue;
    const limit = bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound);
    buckets.set(limit, (buckets.get(limit) ?? 0) + value);
  }
  const count = buckets.get(Number.POSITIVE_INFINITY) ?? 0;
  const bounds = [...buckets.keys()].sort((one, other) => one - other);
  const p99 = bounds.find((bound) => (buckets.get(bound) ?? 0) >= 0.99 * count) ?? Number.NaN;
  return { p99, count };
}
