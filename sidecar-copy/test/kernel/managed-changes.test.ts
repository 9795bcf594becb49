/** Settings that an operator changes under load: what goes on is not disturbed. Set up as in managed.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expectUnharmed, hashesAt, load, requestsAt, server, startLoad } from '../kit/managed-load.js';
import { lostTurns, ManagedRig, ONLINE_PORT, TARGET_PORT } from '../kit/managed-rig.js';

const NEEDS_ROOT = { skip: process.geteuid?.() === 0 ? false : 'needs root' };

test('share, copies and targets change under load: connections that go on lose nothing', NEEDS_ROOT, () =>
  ManagedRig.with(async (rig) => {
    const online = await server(rig.lab.online, ONLINE_PORT);
    const first = await server(rig.lab.target, TARGET_PORT);
    const second = await server(rig.second, TARGET_PORT);
    await rig.configureTarget(rig.lab.target);
    await rig.startCopy();
    await rig.inForce();
    const steady = { connections: 8, requests: 100_000, rate: 400 };
    const running = await startLoad(rig, steady);
    await rig.reportThat('the load is copied', ({ sessionsOpen }) => sessionsOpen === 8);
    await rig.configure({ sample: { fraction: 0.5, by: 'connection', seed: 1 } });
    await rig.configureTarget(rig.lab.target, rig.second);
    await rig.inForce();
    await rig.configure({ copies: 2 });
    const changed = await rig.inForce();
    assert.equal(changed.sessionsOpen, 8, 'connections that were copied go on');
    assert.equal(changed.sessionsStarted, 8);
    expectUnharmed(await running.stop());
    const settled = await rig.settled();
    assert.deepEqual([settled.turnsDelivered, lostTurns(settled)], [settled.turnsCaptured, 0]);
    assert.deepEqual(await hashesAt(first, second), await hashesAt(online));
    // New ones: half of them, twice, over both.
    await load(rig, { connections: 8, requests: 2, 'connections-total': 400 });
    const after = await rig.settled();
    const started = after.sessionsStarted - settled.sessionsStarted;
    assert.ok(started % 2 === 0 && started > 2 * 120 && started < 2 * 280, `${started} sessions`);
    assert.equal(lostTurns(after), 0);
    assert.ok((await hashesAt(second)).length > 50);
  }),
);

test('suspended: sessions end and nothing is sent; resumed: running connections are joined again', NEEDS_ROOT, () =>
  ManagedRig.with(async (rig) => {
    await server(rig.lab.online, ONLINE_PORT);
    const target = await server(rig.lab.target, TARGET_PORT);
    await rig.configureTarget(rig.lab.target);
    await rig.startCopy();
    await rig.inForce();
    const running = await startLoad(rig, { connections: 4, requests: 100_000, rate: 200 });
    await rig.reportThat('the load is copied', ({ sessionsOpen }) => sessionsOpen === 4);
    await rig.configure({ state: 'suspended' });
    const suspended = await rig.reportThat(
      'suspended',
      ({ state, sessionsOpen }) => state === 'suspended' && sessionsOpen === 0,
    );
    const during = await requestsAt(target);
    await rig.reportThat('a second later', ({ elapsedMs }) => elapsedMs > suspended.elapsedMs + 900);
    assert.equal(await requestsAt(target), during);
    await rig.configure({ state: 'running' });
    await rig.reportThat('joined again', ({ sessionsOpen }) => sessionsOpen === 4);
    expectUnharmed(await running.stop());
    const settled = await rig.settled();
    assert.deepEqual(
      Object.keys(settled.turnsLost).filter((reason) => reason !== 'suspended'),
      [],
    );
    assert.ok((await requestsAt(target)) > during);
  }),
);

test('a target pod goes: its sessions go on at another; without any they are counted', NEEDS_ROOT, () =>
  ManagedRig.with(async (rig) => {
    await server(rig.lab.online, ONLINE_PORT);
    await server(rig.lab.target, TARGET_PORT);
    const second = await server(rig.second, TARGET_PORT);
    await rig.configureTarget(rig.lab.target);
    await rig.startCopy();
    await rig.inForce();
    const running = await startLoad(rig, { connections: 4, requests: 100_000, rate: 200 });
    await rig.reportThat('the load is copied', ({ sessionsOpen }) => sessionsOpen === 4);
    await rig.configureTarget(rig.second);
    const moved = await rig.inForce();
    assert.deepEqual(
      moved.endpoints.map(({ endpoint }) => endpoint),
      [`${rig.second.ipv4}:${TARGET_PORT}`],
    );
    await rig.reportThat(
      'they went on at the other',
      ({ turnsDelivered }) => turnsDelivered > moved.turnsDelivered + 100,
    );
    assert.ok((await requestsAt(second)) > 0);
    await rig.configureTarget();
    await rig.inForce();
    const without = await rig.reportThat('counted', ({ turnsLost }) => (turnsLost['targetUnavailable'] ?? 0) > 100);
    assert.equal(without.state, 'waiting');
    expectUnharmed(await running.stop());
    const settled = await rig.settled();
    assert.equal(settled.turnsCaptured, settled.turnsDelivered + lostTurns(settled));
    assert.deepEqual(Object.keys(settled.turnsLost), ['targetUnavailable']);
  }),
);

test('beyond the bandwidth no session begins, clients notice nothing, and it is told', NEEDS_ROOT, () =>
  ManagedRig.with(async (rig) => {
    await server(rig.lab.online, ONLINE_PORT);
    await server(rig.lab.target, TARGET_PORT);
    const limits = { sessionsMax: 10_000, heldBytesMax: 64 * 1024 * 1024, bytesPerSecondMax: 10_000 };
    await rig.configure({ limits });
    await rig.configureTarget(rig.lab.target);
    await rig.startCopy();
    await rig.inForce();
    const running = await startLoad(rig, { connections: 4, requests: 1, rate: 300 });
    await rig.reportThat('the limit is told', ({ problems }) => problems.some((text) => text.includes('bandwidth')));
    await rig.reportThat('sessions are shed', ({ terminal }) => (terminal['shed'] ?? 0) > 100);
    await rig.reportThat('others are copied', ({ turnsDelivered }) => turnsDelivered > 10);
    expectUnharmed(await running.stop());
    await rig.settled();
    await rig.reportThat('it is over', ({ problems }) => problems.length === 0);
  }),
);
