/** Several copies to one intercept, one copy to several targets, clients of the online host itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LoadReport } from '../../src/index.js';
import { type CopySummary, TrafficCopy } from '../../src/index.js';
import { CopyLab, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';
import { expectSameStreams, expectStreamsTimes, streamsOf } from './kit/streams.js';

for (const delivery of ['tunnel', 'direct'] as const) {
  test(`${delivery}: copies of two online hosts share one intercept and one target`, async () => {
    await CopyLab.with({ delivery, lab: { extraHosts: ['online-2'] } }, async (copyLab) => {
      const second = copyLab.lab.host('online-2');
      const online1 = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
      const online2 = await second.program('recording-server', { port: ONLINE_PORT });
      const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
      await copyLab.start();
      const more = await copyLab.intercept.newToken();
      const copy2 = await TrafficCopy.copy(second, {
        map: `${ONLINE_PORT}-${copyLab.targetEndpoint(TARGET_PORT)}`,
        join: more,
        delivery,
      });
      const settings = { connections: 10, requests: 50, 'connections-total': 20 };
      // Different ports at the client: both onlines see one client address, and the target one connection for each port.
      await Promise.all([
        copyLab.load({ ...settings, 'client-port-start': 21_000 }),
        copyLab.load({ ...settings, 'client-port-start': 22_000, host: second.ipv4 }),
      ]);
      await copy2.quiet();
      const summary2 = (await copy2.stop()) as unknown as CopySummary;
      const summary1 = await copyLab.finish();
      assert.equal(summary1.turns.lost + summary2.turns.lost, 0);
      assert.equal(summary1.turns.delivered, 1_000);
      assert.equal(summary2.turns.delivered, 1_000);
      expectSameStreams([...(await streamsOf(online1)), ...(await streamsOf(online2))], await streamsOf(target));
    });
  });

  test(`${delivery}: one copy feeds two targets, each with its own intercept, and two ports of one of them`, async () => {
    await CopyLab.with({ delivery, lab: { extraHosts: ['target-2'] } }, async (copyLab) => {
      const second = copyLab.lab.host('target-2');
      const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
      const target1 = await copyLab.target.program('recording-server', { port: TARGET_PORT });
      const candidate = await copyLab.target.program('recording-server', { port: 8082, manner: 'other' });
      const target2 = await second.program('recording-server', { port: TARGET_PORT, 'response-bytes': 9_000 });
      await copyLab.listenForLeaks();
      const atClient = await copyLab.client.sniff(`src host ${second.ipv4}`);
      await copyLab.startIntercept({ insecure: true });
      const intercept2 = await TrafficCopy.intercept(second, { insecure: true });
      await copyLab.startCopy({
        map: `${ONLINE_PORT}-${copyLab.target.ipv4}:${TARGET_PORT}+${copyLab.target.ipv4}:8082+${second.ipv4}:${TARGET_PORT}`,
        join: 'insecure',
      });
      await copyLab.load({ connections: 10, requests: 50, 'connections-total': 20 });
      const summary = await copyLab.finish();
      await intercept2.stop();
      assert.equal(await atClient.stop(), 0);
      const expected = await streamsOf(online);
      for (const target of [target1, candidate, target2]) expectSameStreams(expected, await streamsOf(target));
      assert.equal(summary.turns.lost, 0);
      assert.equal(summary.turns.delivered, 3_000);
    });
  });

  test(`${delivery}: clients on 127.0.0.1 of the online host are copied with the address that -c gives them`, async () => {
    const address = '10.77.0.200';
    await CopyLab.with({ delivery, copyFlags: ['-c', address] }, async (copyLab) => {
      const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
      const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
      await copyLab.start();
      const generator = await copyLab.online.program('load-generator', {
        host: '127.0.0.1',
        port: ONLINE_PORT,
        connections: 5,
        requests: 40,
        'connections-total': 20,
      });
      const report = await generator.ask<LoadReport>('run');
      assert.equal(report.responses, 800);
      const summary = await copyLab.finish();
      assert.equal(summary.turns.lost, 0);
      const arrived = await streamsOf(target);
      assert.deepEqual(
        new Set(arrived.map(({ client }) => client.slice(0, client.lastIndexOf(':')))),
        new Set([address]),
      );
      expectStreamsTimes(await streamsOf(online), arrived, 1);
    });
  });
}

test('connections that run already are joined at their next request, never in the midst of one', async () => {
  await CopyLab.with({}, async (copyLab) => {
    const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
    const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
    const generator = await copyLab.client.program('load-generator', {
      host: copyLab.online.ipv4,
      port: ONLINE_PORT,
      connections: 10,
      requests: 100_000,
      'connections-total': 10,
      'body-bytes': 20_000,
      'pause-ms': 5,
    });
    const done = generator.ask<LoadReport>('run');
    await copyLab.start();
    const { responses } = await generator.ask<LoadReport>('progress');
    await copyLab.copy.waitForMetric('trafficcopy_copy_turns_delivered_total', 500);
    await generator.ask('stop');
    const report = await done;
    assert.deepEqual(report.errors, {});
    const summary = await copyLab.finish();
    assert.ok(responses < report.responses);
    assert.equal(summary.turns.lost, 0);
    assert.equal(summary.engine.sessionsStarted, 10);
    const atTarget = await streamsOf(target);
    assert.equal(atTarget.length, 10);
    assert.equal((await streamsOf(online)).length, 10);
    const requests = atTarget.reduce((sum, stream) => sum + stream.requests, 0);
    assert.equal(requests, summary.turns.delivered, 'the target understood and answered every turn as one request');
  });
});
