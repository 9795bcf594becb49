/** A copy that an operator directs, with NET_RAW alone on a read-only root, and real intercepts: as in pods. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, type StreamRecord } from '@trafficcopy/lab';
import { hashesAt, load, requestsAt, server } from '../kit/managed-load.js';
import { lostTurns, ManagedRig, ONLINE_PORT, TARGET_PORT } from '../kit/managed-rig.js';

const NEEDS_ROOT = { skip: process.geteuid?.() === 0 ? false : 'needs root' };

for (const delivery of ['tunnel', 'direct'] as const) {
  test(
    `${delivery}: the operator says what to copy: it arrives byte for byte; STOP ends the copy with 0`,
    NEEDS_ROOT,
    () =>
      ManagedRig.with(async (rig) => {
        const online = await server(rig.lab.online, ONLINE_PORT);
        const target = await server(rig.lab.target, TARGET_PORT);
        const copy = await rig.startCopy(['--metrics', '9100']);
        await rig.reportThat('it waits', ({ state, generation }) => state === 'waiting' && generation === 0);
        await rig.configure({ delivery });
        await rig.configureTarget(rig.lab.target);
        const ready = await rig.inForce();
        assert.equal(ready.state, 'copying');
        assert.deepEqual(ready.endpoints, [{ endpoint: `${rig.lab.target.ipv4}:${TARGET_PORT}`, isUp: true }]);
        assert.deepEqual(ready.problems, []);
        const { requests } = await load(rig, { connections: 10, requests: 20, 'connections-total': 20 });
        const settled = await rig.settled();
        assert.deepEqual([settled.turnsDelivered, lostTurns(settled)], [requests, 0]);
        assert.deepEqual(await hashesAt(target), await hashesAt(online));
        const metrics = await rig.lab.online.expect('curl', ['-sf', '-m', '5', 'http://127.0.0.1:9100/metrics']);
        assert.match(metrics, new RegExp(`^trafficcopy_copy_turns_delivered_total ${requests}$`, 'm'));
        await rig.operator.ask('stop', 'the TrafficCopy was deleted');
        await copy.expectEnd(20_000, [0]);
        assert.equal((await rig.lastReport())?.turnsDelivered, requests, 'the last report has everything');
      }),
  );
}

test('loopback: what a proxy in the pod hands on is copied once, with addresses of its own', NEEDS_ROOT, () =>
  ManagedRig.with(async (rig) => {
    const online = await server(rig.lab.online, ONLINE_PORT);
    const target = await server(rig.lab.target, TARGET_PORT);
    await rig.configure({ capture: 'loopback' });
    await rig.configureTarget(rig.lab.target);
    await rig.startCopy();
    await rig.inForce();
    for (const address of ['127.0.0.1', rig.lab.online.ipv4]) {
      const urls = [1, 2, 3].map((id) => `http://${address}:${ONLINE_PORT}/?${id}`);
      await rig.lab.online.expect('curl', [
        '-sf',
        '-m',
        '20',
        '-o',
        '/dev/null',
        '-o',
        '/dev/null',
        '-o',
        '/dev/null',
        ...urls,
      ]);
    }
    // Over the wire: not on this leg.
    await rig.lab.client.expect('curl', [
      '-sf',
      '-m',
      '20',
      '-o',
      '/dev/null',
      `http://${rig.lab.online.ipv4}:${ONLINE_PORT}/wire`,
    ]);
    const settled = await rig.settled();
    assert.deepEqual([settled.connectionsSeen, settled.turnsDelivered, lostTurns(settled)], [2, 6, 0]);
    const streams = (await target.ask<StreamRecord[]>('report')).filter(({ bytes }) => bytes > 0);
    assert.equal(streams.length, 2);
    for (const { client } of streams) assert.match(client, /198\.1[89]\./);
    assert.equal((await hashesAt(online)).length, 3);
  }),
);

test('TLS is told by its port, and not copied', NEEDS_ROOT, () =>
  ManagedRig.with(async (rig) => {
    await server(rig.lab.online, ONLINE_PORT);
    const target = await server(rig.lab.target, TARGET_PORT);
    await rig.configureTarget(rig.lab.target);
    await rig.startCopy();
    await rig.inForce();
    await rig.lab.client.run('curl', ['-sk', '-m', '5', `https://${rig.lab.online.ipv4}:${ONLINE_PORT}/`]);
    const report = await rig.reportThat('encrypted', ({ encrypted }) => encrypted[String(ONLINE_PORT)] === 1);
    assert.equal(report.turnsDelivered, 0);
    assert.deepEqual(await hashesAt(target), []);
  }),
);

test('the operator is killed: copying goes on', NEEDS_ROOT, () =>
  ManagedRig.with(async (rig) => {
    await server(rig.lab.online, ONLINE_PORT);
    const target = await server(rig.lab.target, TARGET_PORT);
    await rig.configureTarget(rig.lab.target);
    const copy = await rig.startCopy();
    await rig.inForce();
    await rig.operator.stop('SIGKILL');
    await copy.waitForLine(/copying goes on as it is/);
    const { requests } = await load(rig, { connections: 4, requests: 10, 'connections-total': 8 });
    await eventually('all requests arrive', 20_000, async () => (await requestsAt(target)) === requests);
    assert.ok(copy.isRunning);
    await copy.stop('SIGTERM');
  }),
);
