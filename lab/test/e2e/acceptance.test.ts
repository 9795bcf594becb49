/** Items of the list in docs/from-tcpcopy.md that no other file shows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CopyLab, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';
import { FirewallRule } from './kit/firewall-rule.js';
import { expectSameStreams, expectStreamsTimes, streamsOf } from './kit/streams.js';

/** What intercept's rules put on responses of copied connections, whichever slot it has. */
const COPIED_MARK = '0x8ed0/0xfffffff0';
const RESPONSE_BYTES = 1_000_000;

for (const delivery of ['tunnel', 'direct'] as const) {
  test(`${delivery}: 50 responses of 1 MB and an upload of 20 MB: the target sends all of it, and is closed, not reset`, async () => {
    await CopyLab.with({ delivery }, async (copyLab) => {
      const settings = { 'response-bytes': RESPONSE_BYTES };
      const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT, ...settings });
      const target = await copyLab.target.program('recording-server', { port: TARGET_PORT, ...settings });
      await copyLab.start();
      await copyLab.load({ connections: 5, requests: 10, 'connections-total': 5 });
      await copyLab.load({ connections: 1, requests: 1, 'connections-total': 1, 'body-bytes': 20_000_000 });
      const summary = await copyLab.finish();
      const streams = await streamsOf(target);
      expectSameStreams(await streamsOf(online), streams);
      assert.deepEqual(
        streams.map(({ end }) => end),
        streams.map(() => 'fin'),
      );
      assert.equal(summary.turns.delivered, 51, JSON.stringify(summary.turns));
      assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
    });
  });
}

test('Direct, 5 % of all responses lost before intercept sees them: every request arrives once', async () => {
  await CopyLab.with({ delivery: 'direct' }, async (copyLab) => {
    const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
    const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
    await FirewallRule.insert(copyLab.target, {
      chain: 'OUTPUT',
      match: `-p tcp -m mark --mark ${COPIED_MARK}`,
      probability: 0.05,
    });
    await copyLab.start();
    await copyLab.load({ connections: 20, requests: 50, 'connections-total': 20 });
    const summary = await copyLab.finish();
    expectSameStreams(await streamsOf(online), await streamsOf(target));
    assert.equal(summary.turns.delivered, 1_000);
    assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
    assert.ok(summary.engine.segmentsRetransmitted > 0, 'responses were lost');
  });
});

test('-n 20 of 30 connections from the highest ephemeral ports arrives exactly twenty times', async () => {
  await CopyLab.with({ copyFlags: ['-n', '20'] }, async (copyLab) => {
    const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
    const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
    await copyLab.start();
    const ports = { 'client-port-start': 60_970 };
    await copyLab.load({ connections: 30, requests: 5, 'connections-total': 30, ...ports });
    const summary = await copyLab.finish();
    const [atOnline, atTarget] = [await streamsOf(online), await streamsOf(target)];
    assert.equal(atOnline.length, 30);
    assert.equal(atTarget.length, 600);
    expectStreamsTimes(atOnline, atTarget, 20);
    assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
  });
});

test('a target that is killed and started again in full run: sessions go on there, and what was lost has its reason', async () => {
  await CopyLab.with({}, async (copyLab) => {
    await copyLab.online.program('recording-server', { port: ONLINE_PORT });
    const first = await copyLab.target.program('recording-server', { port: TARGET_PORT });
    await copyLab.start();
    const load = copyLab.load({ connections: 6, requests: 60, 'connections-total': 6, 'pause-ms': 20 });
    await copyLab.copy.waitForMetric('trafficcopy_copy_turns_delivered_total', 30);
    await first.stop('SIGKILL');
    const second = await copyLab.target.program('recording-server', { port: TARGET_PORT });
    await load;
    const { turns } = await copyLab.finish();
    const requests = (await streamsOf(second)).reduce((sum, stream) => sum + stream.requests, 0);
    assert.ok(requests > 0, 'the second process has requests');
    assert.equal(turns.captured, turns.delivered + turns.lost, JSON.stringify(turns));
    const reasons = Object.entries(turns.lostByReason).filter(([, count]) => count > 0);
    for (const [reason] of reasons) assert.match(reason, /^(targetReset|targetRefused|noResponse)$/);
    assert.equal(
      reasons.reduce((sum, [, count]) => sum + count, 0),
      turns.lost,
    );
  });
});
