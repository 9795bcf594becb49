/** How often and which connections are copied: -n, -r, -g, several copies of the same, and one source port used again and again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CopySummary, eventually, type LoadReport, TrafficCopy } from '../../src/index.js';
import { CopyLab, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';
import { expectStreamsTimes, streamsOf } from './kit/streams.js';

for (const delivery of ['tunnel', 'direct'] as const) {
  test(`${delivery}: -n 3 of 100 connections arrives exactly three times`, async () => {
    await CopyLab.with({ delivery, copyFlags: ['-n', '3'] }, async (copyLab) => {
      const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
      const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
      await copyLab.start();
      await copyLab.load({ connections: 100, requests: 20, 'connections-total': 100 });
      const summary = await copyLab.finish();
      const [atOnline, atTarget] = [await streamsOf(online), await streamsOf(target)];
      assert.equal(atOnline.length, 100);
      assert.equal(atTarget.length, 300);
      expectStreamsTimes(atOnline, atTarget, 3);
      assert.equal(summary.turns.lost, 0);
      assert.equal(summary.turns.delivered, 6_000);
    });
  });
}

test('-r 10 of 2,000 connections copies a tenth within binomial bounds, and the same ones again with the same seed', async () => {
  const chosen: string[][] = [];
  // The same lab for both runs, with ports given by the test, so that the same connections come twice.
  await CopyLab.with({ copyFlags: ['-r', '10', '--seed', '42'] }, async (copyLab) => {
    await copyLab.online.program('recording-server', { port: ONLINE_PORT });
    const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
    await copyLab.listenForLeaks();
    await copyLab.startIntercept();
    let seen = 0;
    for (const run of [1, 2]) {
      // The second run has the certificate of the first in its state directory.
      const join = run === 1 ? await copyLab.intercept.joinToken() : undefined;
      await copyLab.startCopy({ join, name: `copy-${run}`, stateOf: 'copy' });
      const load = await copyLab.load({
        connections: 20,
        requests: 1,
        'connections-total': 2_000,
        'client-port-start': 20_000,
        close: 'reset',
      });
      assert.equal(load.connections, 2_000);
      await copyLab.copy.quiet();
      const streams = await streamsOf(target);
      chosen.push(
        streams
          .slice(seen)
          .map((stream) => stream.client)
          .sort(),
      );
      seen = streams.length;
      if (run === 1) await copyLab.copy.stop();
    }
    const summary = await copyLab.finish();
    assert.equal(summary.turns.lost, 0);
  });
  const [first = [], second = []] = chosen;
  // Mean 200, standard deviation sqrt(2000 x 0.1 x 0.9) = 13.4: four of them to either side.
  assert.ok(first.length >= 146 && first.length <= 254, `${first.length} of 2,000`);
  assert.deepEqual(second, first);
});

test('-g: when the time is over, connections that run have got all their copies at a later turn, and new ones have them from the start', async () => {
  await CopyLab.with({ copyFlags: ['-n', '3', '-g', '2s'] }, async (copyLab) => {
    await copyLab.online.program('recording-server', { port: ONLINE_PORT });
    const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
    await copyLab.start();
    const kept = await copyLab.client.program('load-generator', {
      host: copyLab.online.ipv4,
      port: ONLINE_PORT,
      connections: 5,
      requests: 1_000_000,
      'connections-total': 5,
      'pause-ms': 5,
    });
    const done = kept.ask<LoadReport>('run');
    await copyLab.copy.process.waitForLine(/the ramp is over/);
    await copyLab.load({ connections: 10, requests: 1, 'connections-total': 50, 'id-start': 10_000_000 });
    // Turns that begin now have found every copy that was due.
    const { responses } = await kept.ask<LoadReport>('progress');
    await eventually('each kept connection sends more', 20_000, async () => {
      return (await kept.ask<LoadReport>('progress')).responses >= responses + 250;
    });
    await kept.ask('stop');
    const report = await done;
    assert.deepEqual(report.errors, {});
    const summary = await copyLab.finish();
    const atTarget = await streamsOf(target);
    assert.equal(atTarget.length, 3 * (5 + 50));
    assert.equal(atTarget.filter(({ requests }) => requests === 1).length, 150);
    assert.equal(summary.turns.lost, 0);
    assert.equal(summary.engine.terminal['copied'], 3 * (5 + 50));
    // They came to online when nearly nothing was due, and to the target with what they sent later.
    const expected = 3 * report.responses;
    const arrived = atTarget.reduce((sum, { requests }) => sum + requests, 0) - 150;
    assert.ok(arrived > 0 && arrived < expected, `${arrived} of ${expected}`);
  });
});

for (const { family, list, isOne } of [
  { family: 4, list: '10.99.7.1,10.99.8.0/29', isOne: /^10\.99\.(7\.1|8\.[1-6])$/ },
  { family: 6, list: 'fd99::7,fd99::8:0/125', isOne: /^\[fd99::(7|8:[0-7])\]$/ },
] as const) {
  test(`IPv${family}, -c ${list} -n 3: each copy of a client comes from one of these addresses, no two connections from one address and port`, async () => {
    await CopyLab.with({ family, copyFlags: ['-c', list, '-n', '3'] }, async (copyLab) => {
      const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
      const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
      await copyLab.start();
      await copyLab.load({ connections: 30, requests: 3, 'connections-total': 30 });
      const summary = await copyLab.finish();
      const [atOnline, atTarget] = [await streamsOf(online), await streamsOf(target)];
      expectStreamsTimes(atOnline, atTarget, 3);
      assert.equal(new Set(atTarget.map(({ client }) => client)).size, 90);
      const addresses = new Set(atTarget.map(({ client }) => client.slice(0, client.lastIndexOf(':'))));
      assert.ok(
        [...addresses].every((address) => isOne.test(address)),
        [...addresses].join(' '),
      );
      // One client has one address for each copy.
      assert.ok(addresses.size > 1 && addresses.size <= 3, [...addresses].join(' '));
      assert.equal(summary.turns.lost, 0);
    });
  });
}

for (const delivery of ['tunnel', 'direct'] as const) {
  test(`${delivery}: two copies of the same connections to one intercept, without -f: both deliver all, the second to ask from other ports`, async () => {
    await CopyLab.with({ delivery }, async (copyLab) => {
      const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
      const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
      await copyLab.start();
      const second = await TrafficCopy.copy(copyLab.online, {
        map: `${ONLINE_PORT}-${copyLab.targetEndpoint(TARGET_PORT)}`,
        join: await copyLab.intercept.newToken(),
        name: 'copy-2',
        delivery,
      });
      await copyLab.load({ connections: 20, requests: 10, 'connections-total': 100 });
      await second.quiet();
      await second.idle();
      const summaries = [(await second.stop()) as unknown as CopySummary, await copyLab.finish()];
      for (const { turns, engine } of summaries) {
        assert.equal(turns.lost, 0);
        assert.equal(turns.delivered, 1_000);
        assert.equal(engine.terminal['copied'], 100);
      }
      const [atOnline, atTarget] = [await streamsOf(online), await streamsOf(target)];
      expectStreamsTimes(atOnline, atTarget, 2);
      const clients = new Set(atTarget.map(({ client }) => client));
      assert.equal(clients.size, 200, 'no two from one address and port');
      assert.equal(atOnline.filter(({ client }) => clients.has(client)).length, 100, 'one copy of each kept its port');
    });
  });
}

for (const close of ['reset', 'server'] as const) {
  test(`30 successive connections from one source port, ended by ${close === 'reset' ? 'a reset of the client' : 'the server'}: 30 arrive`, async () => {
    await CopyLab.with({}, async (copyLab) => {
      const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
      const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
      await copyLab.start();
      await copyLab.load({ connections: 1, requests: 1, 'connections-total': 30, 'client-port': 23_456, close });
      const summary = await copyLab.finish();
      const [atOnline, atTarget] = [await streamsOf(online), await streamsOf(target)];
      assert.equal(atOnline.length, 30);
      // From other ports where the target is not done yet with the connection before.
      expectStreamsTimes(atOnline, atTarget, 1);
      assert.equal(summary.turns.lost, 0);
    });
  });
}
