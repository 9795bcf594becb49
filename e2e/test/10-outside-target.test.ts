/** A target that is no pod: a host with an address of its own, where an intercept was started by hand. A pod in the network of its node stands in for it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { expectCommand } from '@trafficcopy/lab';
import { imageOf, NODE, ShopService, Stage, type TrafficCopyResource, until } from '../src/index.js';

const SECRET = { apiVersion: 'v1', kind: 'Secret' };
const CONTROL_PLANE_LABEL = 'node-role.kubernetes.io/control-plane';
const INTERCEPT_PORT = 36524;

/** Started as on any host, by root; nothing of it knows a cluster. */
const INTERCEPT = {
  name: 'intercept',
  image: imageOf('trafficcopy-intercept'),
  imagePullPolicy: 'IfNotPresent',
  args: ['intercept', '--target', '8080', '--metrics', '0.0.0.0:9901'],
  securityContext: { privileged: true, runAsUser: 0, runAsNonRoot: false },
  readinessProbe: { httpGet: { path: '/readyz', port: 9901 }, periodSeconds: 1 },
};

interface Container {
  readonly name: string;
  readonly env?: readonly { readonly name: string }[];
}

interface ContainerStatus {
  readonly name: string;
  readonly state: { readonly running?: object };
}

function hasToken({ env = [] }: Container): boolean {
  return env.some(({ name }) => name.startsWith('TRAFFICCOPY_INTERCEPT_TOKEN_'));
}

let stage: Stage;
let outside: ShopService;
let copy: TrafficCopyResource;
let address: string;

before(async () => {
  stage = await Stage.set('outside', { source: { replicas: 2 }, target: { replicas: 1 } });
  const { cluster, namespace } = stage;
  const nodes = await cluster.list(NODE);
  const node = nodes.find(({ metadata }) => CONTROL_PLANE_LABEL in (metadata.labels ?? {})) ?? nodes[0]!;
  outside = await new ShopService(cluster, namespace.name, 'old-hardware', {
    ...{ version: 2, containers: [INTERCEPT] },
    podSpec: { hostNetwork: true, nodeName: node.metadata.name },
  }).deploy();
  address = (await outside.pods())[0]!['status'].hostIP;
  await stage.load(200);
});
after(() => stage?.end());

function toOutside(port = INTERCEPT_PORT): Record<string, unknown> {
  return {
    ...{ name: 'old-hardware', address, intercept: `${address}:${port}` },
    ...{ interceptTokenSecret: { name: 'old-hardware' }, ports: [{ source: 8080 }] },
  };
}

/** What an administrator of that host is told to put into a Secret. */
async function newToken(): Promise<string> {
  const printed = await expectCommand('kubectl', [
    ...['-n', stage.namespace.name, 'exec', 'deploy/old-hardware', '-c', 'intercept', '--'],
    ...['trafficcopy', 'intercept', '--new-token', '--reusable'],
  ]);
  return /token=(tc1\.\S+)/.exec(printed)?.[1] ?? assert.fail(printed);
}

test('a target outside that has no token yet: copying to pods goes on, and a condition gives the commands', async () => {
  copy = await stage.copy();
  await copy.untilCopying(2, 30_000);
  const lives = await stage.lives(stage.source);
  const marks = await stage.mark();
  await copy.change({ targets: [stage.toTarget(), toOutside()] });
  const { message } = await copy.untilCondition('TargetsReady', 'False', 30_000, 'TokenMissing');
  assert.match(message, /--new-token --reusable/);
  assert.match(message, /create secret generic old-hardware/);
  assert.equal((await copy.condition('Copying'))?.status, 'True');
  await stage.untilAnswered(500, 30_000);
  await stage.expectExactlyOnce(stage.target, marks);
  assert.deepEqual(await stage.lives(stage.source), lives);
});

test('with the Secret there copies with the token take the place of the others, and both targets get every request once', async () => {
  const { cluster, namespace } = stage;
  const stringData = { token: await newToken() };
  await cluster.apply({ ...SECRET, metadata: { name: 'old-hardware', namespace: namespace.name }, stringData });
  // The kubelet looks for a Secret that was missing again within a minute and a half.
  await copy.untilCondition('Ready', 'True', 150_000, 'Copying');
  await until('every source pod has one copy, the one with the token', 60_000, async () => {
    for (const { spec, status } of await stage.source.pods()) {
      const running = (status.ephemeralContainerStatuses as ContainerStatus[]).filter(({ state }) => state.running);
      const containers = spec.ephemeralContainers as Container[];
      const own = containers.filter(({ name }) => running.some((each) => each.name === name));
      assert.deepEqual(own.map(hasToken), [true]);
    }
    return true;
  });
  // Until its first report the word of its predecessor counts.
  await stage.untilAnswered(1000, 60_000);
  await copy.untilCopying(2, 20_000);
  const marks = await stage.mark();
  await stage.untilAnswered(2000, 60_000);
  await stage.expectExactlyOnce(outside, marks);
  await stage.expectExactlyOnce(stage.target, marks);
  await stage.expectClientsUndisturbed();
  assert.equal((await copy.read())['status'].summary.targets, '2/2');
});

test('an intercept that cannot be reached is named', async () => {
  await copy.change({ targets: [stage.toTarget(), toOutside(1)] });
  const { message } = await copy.untilCondition('TargetsReady', 'False', 30_000, 'InterceptUnreachable');
  assert.ok(message.includes(`${address}:1`), message);
  await copy.change({ targets: [stage.toTarget(), toOutside()] });
  await copy.untilCondition('TargetsReady', 'True', 30_000);
});

test('new pods get their token by their sidecar', async () => {
  await stage.source.scale(3);
  await copy.untilCopying(3, 60_000);
  await copy.untilCondition('TargetsReady', 'True', 30_000);
  const newest = (await stage.source.pods()).sort((one, other) =>
    String(one.metadata['creationTimestamp']) < String(other.metadata['creationTimestamp']) ? 1 : -1,
  )[0]!;
  const sidecar = (newest['spec'].initContainers as Container[]).find(({ name }) => name.startsWith('trafficcopy-'));
  assert.ok(sidecar !== undefined && hasToken(sidecar), JSON.stringify(sidecar));
  assert.equal(newest['spec'].ephemeralContainers, undefined, 'nothing has to take its place');
  const marks = await stage.mark();
  await stage.untilAnswered(500, 30_000);
  await stage.expectExactlyOnce(outside, marks);
});

test('delivery Direct: packets leave the source pod with the address of the client', async () => {
  await copy.remove();
  const direct = await stage.copy({ delivery: 'Direct', targets: [toOutside()] }, 'direct');
  await direct.untilCopying(3, 60_000);
  await direct.untilCondition('TargetsReady', 'True', 60_000);
  const [source] = await stage.source.pods();
  const own = source!['status'].podIP;
  const seen = await stage.inspector.inPod(
    source!,
    `timeout 30 tcpdump -nn -c 1 -i any 'tcp dst port 8080 and dst host ${address} and not src host ${own}' 2>/dev/null`,
  );
  assert.match(seen, new RegExp(`> ${address.replaceAll('.', '\\.')}\\.8080: Flags \\[S`));
});
