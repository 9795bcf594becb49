/** A copy that an operator directs, with NET_RAW alone on a read-only root, and real intercepts: as in pods. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { eventually, type LabHost, type LabProcess, type LoadReport, type StreamRecord } from '@trafficcopy/lab';
import { lostTurns, ManagedRig, ONLINE_PORT, PAUSE, TARGET_PORT } from '../kit/managed-rig.js';

const NEEDS_ROOT = { skip: process.geteuid?.() === 0 ? false : 'needs root' };

type Load = Readonly<Record<string, string | number>>;

async function startLoad(rig: ManagedRig, settings: Load): Promise<{ done: Promise<LoadReport> }> {
  const host = rig.lab.online.ipv4;
  const generator = await rig.lab.client.program('load-generator', { host, port: ONLINE_PORT, ...settings });
  return { done: generator.ask<LoadReport>('run', undefined, 60_000) };
}

async function load(rig: ManagedRig, settings: Load): Promise<LoadReport> {
  const report = await (await startLoad(rig, settings)).done;
  expectUnharmed(report);
  return report;
}

function expectUnharmed(report: LoadReport): void {
  assert.deepEqual(report.errors, {}, 'the clients of online met errors');
  assert.equal(report.responses, report.requests);
}

async function server(host: LabHost, port: number): Promise<LabProcess> {
  return await host.program('recording-server', { port });
}

async function hashesAt(...servers: readonly LabProcess[]): Promise<string[]> {
  const reports = await Promise.all(servers.map((one) => one.ask<StreamRecord[]>('report')));
  return reports
    .flat()
    .filter(({ bytes }) => bytes > 0)
    .map(({ sha256 }) => sha256)
    .sort();
}

async function requestsAt(...servers: readonly LabProcess[]): Promise<number> {
  const reports = await Promise.all(servers.map((one) => one.ask<StreamRecord[]>('report')));
  return reports.flat().reduce((sum, { requests }) => sum + requests, 0);
}

test('the operator says what to copy: it arrives byte for byte; STOP ends the copy with 0', NEEDS_ROOT, () =>
  ManagedRig.with(async (rig) => {
    const online = await server(rig.lab.online, ONLINE_PORT);
    const target = await server(rig.lab.target, TARGET_PORT);
    const copy = await rig.startCopy();
    await rig.reportThat('it waits', ({ state, generation }) => state === 'waiting' && generation === 0);
    await rig.configureTarget(rig.lab.target);
    const ready = await rig.inForce();
    assert.equal(ready.state, 'copying');
    assert.deepEqual(ready.endpoints, [{ endpoint: `${rig.lab.target.ipv4}:${TARGET_PORT}`, isUp: true }]);
    assert.deepEqual(ready.problems, []);
    const { requests } = await load(rig, { connections: 10, requests: 20, 'connections-total': 20 });
    const settled = await rig.settled();
    assert.deepEqual([settled.turnsDelivered, lostTurns(settled)], [requests, 0]);
    assert.deepEqual(await hashesAt(target), await hashesAt(online));
    await rig.operator.ask('stop', 'the TrafficCopy was deleted');
    await copy.expectEnd(20_000, [0]);
    assert.equal((await rig.lastReport())?.turnsDelivered, requests, 'the last report has everything');
  }),
);

test('share, copies and targets change under load: connections that go on lose nothing', NEEDS_ROOT, () =>
  ManagedRig.with(async (rig) => {
    const online = await server(rig.lab.online, ONLINE_PORT);
    const first = await server(rig.lab.target, TARGET_PORT);
    const second = await server(rig.second, TARGET_PORT);
    await rig.configureTarget(rig.lab.target);
    await rig.startCopy();
    await rig.inForce();
    const steady = { connections: 8, requests: 100_000, rate: 400, 'duration-ms': 6000 };
    const running = await startLoad(rig, steady);
    await rig.reportThat('the load is copied', ({ sessionsOpen }) => sessionsOpen === 8);
    await rig.configure({ sample: { fraction: 0.5, by: 'connection', seed: 1 } });
    await rig.configureTarget(rig.lab.target, rig.second);
    await rig.inForce();
    await rig.configure({ copies: 2 });
    const changed = await rig.inForce();
    assert.equal(changed.sessionsOpen, 8, 'connections that were copied go on');
    assert.equal(changed.sessionsStarted, 8);
    expectUnharmed(await running.done);
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
    const running = await startLoad(rig, { connections: 4, requests: 100_000, rate: 200, 'duration-ms': 8000 });
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
    expectUnharmed(await running.done);
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
    const running = await startLoad(rig, { connections: 4, requests: 100_000, rate: 200, 'duration-ms': 8000 });
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
    expectUnharmed(await running.done);
    const settled = await rig.settled();
    assert.equal(settled.turnsCaptured, settled.turnsDelivered + lostTurns(settled));
    assert.deepEqual(Object.keys(settled.turnsLost), ['targetUnavailable']);
  }),
);

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

test('parked: only a program that sleeps is left, and it ends when told to', NEEDS_ROOT, () =>
  ManagedRig.with(async (rig) => {
    await rig.configureTarget(rig.lab.target);
    const copy = await rig.startCopy(['--on-stop', 'park', '--park-program', PAUSE]);
    await rig.inForce();
    await rig.operator.ask('stop', 'the TrafficCopy was deleted');
    await copy.waitForLine(/"msg":"parked"/);
    const { pid } = copy;
    await eventually(
      'it was replaced',
      20_000,
      () => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'trafficcopy-pau\n',
    );
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
    assert.equal(environment, '', 'the token has gone with the copy');
    assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^Threads:\t1$/m);
    const sockets = await rig.lab.online.expect('ss', ['-Hanp', '-A', 'packet,tcp']);
    assert.doesNotMatch(sockets, new RegExp(`pid=${pid},`));
    copy.signal('SIGTERM');
    await copy.expectEnd(20_000, [0]);
  }),
);
