import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Cluster, Inspector, LoadPod, ShopService, TestNamespace, until } from '../src/index.js';

let cluster: Cluster;
let namespace: TestNamespace;
let inspector: Inspector;

before(async () => {
  cluster = await Cluster.connect();
  inspector = await Inspector.deploy(cluster);
  namespace = await TestNamespace.create(cluster, 'harness');
});
after(() => namespace?.remove());

test('the load that the other tests use reaches every pod, is accounted for exactly, and shows no strange packet', async () => {
  const shop = await new ShopService(cluster, namespace.name, 'checkout', { replicas: 2 }).deploy();
  const host = await shop.clusterIp();
  const staying = await new LoadPod(cluster, namespace.name, 'staying', { host, connections: 20, rate: 300 }).start();
  const coming = await new LoadPod(cluster, namespace.name, 'coming', {
    ...{ host, connections: 5, requests: 3, rate: 100, idStart: 1_000_000 },
  }).start();
  await until('a thousand requests', 30_000, async () => (await shop.totals()).requests > 1000);
  const reports = [await staying.stop(), await coming.stop()];
  assert.deepEqual(
    reports.map((each) => each.errors),
    [{}, {}],
  );

  const account = await shop.account();
  for (const load of [staying, coming]) {
    const end = await load.nextId();
    assert.deepEqual(account.between(load.idStart, end), {
      once: end - load.idStart,
      never: 0,
      twice: 0,
      examples: [],
    });
    assert.deepEqual(await load.strangePackets(), []);
  }
});

test('what a pod has in its network can be dumped, and a change shows', async () => {
  const [pod] = await new ShopService(cluster, namespace.name, 'checkout').pods();
  assert.ok(pod);
  const before = await inspector.dump(pod);
  assert.equal(await inspector.dump(pod), before);
  await inspector.inPod(
    pod,
    'iptables -t mangle -A OUTPUT -p tcp -m mark --mark 7 -j DROP; sysctl -qw net.ipv4.fwmark_reflect=1',
  );
  const changed = await inspector.dump(pod);
  assert.match(changed, /-A OUTPUT -p tcp -m mark --mark 0x7 -j DROP/);
  assert.match(changed, /ipv4\/fwmark_reflect:1/);
  await inspector.inPod(pod, 'iptables -t mangle -F; iptables -t mangle -X; sysctl -qw net.ipv4.fwmark_reflect=0');
});
