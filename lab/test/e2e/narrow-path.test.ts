/** Direct delivery over a path that carries less than -M says: uploads arrive whole, whoever says so, or nobody. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CopyLab, type CopyLabOptions, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';
import { expectStreamsTimes, streamsOf } from './kit/streams.js';

const MTU_BYTES = 1000;

/** Packets of online to the target go over the router, whose link there is narrow. */
async function routeOver({ lab, online, target }: CopyLab): Promise<void> {
  const router = lab.host('router');
  await router.expect('sysctl', ['-q', '-w', 'net.ipv4.ip_forward=1']);
  for (const scope of ['all', 'eth0'])
    await router.expect('sysctl', ['-q', '-w', `net.ipv4.conf.${scope}.send_redirects=0`]);
  await router.expect('ip', ['route', 'add', `${target.ipv4}/32`, 'dev', 'eth0', 'mtu', 'lock', String(MTU_BYTES)]);
  await online.expect('ip', ['route', 'add', `${target.ipv4}/32`, 'via', router.ipv4]);
}

interface Variant extends CopyLabOptions {
  readonly name: string;
  readonly narrow: (copyLab: CopyLab) => Promise<unknown>;
}

const ROUTED = { lab: { extraHosts: ['router'], wire: 'segments' }, narrow: routeOver } as const;

const VARIANTS: readonly Variant[] = [
  {
    name: 'the own link is narrow: the raw socket says so',
    narrow: ({ online }) => online.expect('ip', ['link', 'set', 'eth0', 'mtu', String(MTU_BYTES)]),
    lab: { wire: 'segments' },
  },
  { ...ROUTED, name: 'a router says so to the clients, and nobody to the copy' },
  {
    ...ROUTED,
    name: 'a router says so, and the copy hears it: packets have an address of its host',
    copyFlags: ['-c', '10.77.0.2'],
  },
];

for (const { name, narrow, ...options } of VARIANTS) {
  test(`${name}: uploads of 100 KB arrive byte for byte`, async () => {
    await CopyLab.with({ ...options, delivery: 'direct' }, async (copyLab) => {
      await narrow(copyLab);
      const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
      const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
      await copyLab.start();
      await copyLab.load({ connections: 4, requests: 2, 'connections-total': 8, 'body-bytes': 100_000 });
      const narrowed = await copyLab.copy.metric('trafficcopy_copy_paths_narrowed_total');
      const summary = await copyLab.finish();
      expectStreamsTimes(await streamsOf(online), await streamsOf(target), 1);
      assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
      assert.equal(summary.turns.delivered, 16);
      assert.ok(narrowed > 0, 'the path is narrow');
    });
  });
}
