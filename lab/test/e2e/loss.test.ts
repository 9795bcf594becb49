/** Packets that are lost between copy and target, and ports that come back soon: nothing of it costs a request, or delivers one twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CopySummary } from '../../src/index.js';
import { CopyLab, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';
import { FirewallRule } from './kit/firewall-rule.js';
import { expectSameStreams, expectStreamsTimes, streamsOf } from './kit/streams.js';

function expectNothingLost(summary: CopySummary, connections: number): void {
  assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
  assert.equal(summary.turns.delivered, summary.turns.captured);
  assert.equal(summary.engine.terminal['copied'], connections, JSON.stringify(summary.engine.terminal));
}

for (const percent of [2, 5]) {
  test(`Direct, ${percent} % of all packets lost on both ways between copy and target: every request arrives once`, async (context) => {
    await CopyLab.with({ delivery: 'direct' }, async (copyLab) => {
      const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
      const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
      const probability = percent / 100;
      const there = await FirewallRule.insert(copyLab.target, {
        chain: 'PREROUTING',
        match: '-i eth0 -p tcp',
        probability,
      });
      const back = await FirewallRule.insert(copyLab.online, {
        chain: 'PREROUTING',
        match: `-s ${copyLab.target.ipv4} -p tcp`,
        probability,
      });
      await copyLab.start();
      await copyLab.load({ connections: 40, requests: 100, 'connections-total': 40 });
      const summary = await copyLab.finish();
      const [lostThere, lostBack] = [await there.packets(), await back.packets()];
      context.diagnostic(
        `${lostThere} packets to the target and ${lostBack} from it lost, ${summary.engine.segmentsRetransmitted} segments sent again, ${summary.engine.lossProbes} of them loss probes`,
      );
      assert.ok(lostThere > 0 && lostBack > 0, 'packets were lost on both ways');
      assert.ok(summary.engine.segmentsRetransmitted > 0);
      expectSameStreams(await streamsOf(online), await streamsOf(target));
      assert.equal(summary.turns.delivered, 4_000);
      expectNothingLost(summary, 40);
    });
  });
}

test('Direct, 30 % of all SYNs to the target lost: every connection is copied', async (context) => {
  await CopyLab.with({ delivery: 'direct' }, async (copyLab) => {
    const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
    const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
    const rule = await FirewallRule.insert(copyLab.target, {
      chain: 'PREROUTING',
      match: `-i eth0 -p tcp --syn --dport ${TARGET_PORT}`,
      probability: 0.3,
    });
    await copyLab.start();
    await copyLab.load({ connections: 30, requests: 5, 'connections-total': 60 });
    const summary = await copyLab.finish();
    const lost = await rule.packets();
    context.diagnostic(`${lost} SYNs lost`);
    assert.ok(lost > 0, 'SYNs were lost');
    expectSameStreams(await streamsOf(online), await streamsOf(target));
    expectNothingLost(summary, 60);
  });
});

for (const delivery of ['tunnel', 'direct'] as const) {
  test(`${delivery}: two mappings used by the same client address and port, to one place at the target, get a connection each`, async () => {
    await CopyLab.with({ delivery }, async (copyLab) => {
      const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
      const second = await copyLab.online.program('recording-server', { port: 81 });
      const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
      await copyLab.listenForLeaks();
      await copyLab.startIntercept();
      const endpoint = copyLab.targetEndpoint(TARGET_PORT);
      await copyLab.startCopy({ map: `${ONLINE_PORT}-${endpoint},81-${endpoint}` });
      const load = { connections: 10, requests: 20, 'connections-total': 50, 'client-port-start': 20_000 };
      await Promise.all([copyLab.load(load), copyLab.load({ ...load, port: 81, 'id-start': 100_000 })]);
      const summary = await copyLab.finish();
      const [atFirst, atSecond] = [await streamsOf(online), await streamsOf(second)];
      const ports = (streams: typeof atFirst): string[] => streams.map(({ client }) => client).sort();
      assert.deepEqual(ports(atFirst), ports(atSecond), 'the clients used the same ports for both');
      expectStreamsTimes([...atFirst, ...atSecond], await streamsOf(target), 1);
      expectNothingLost(summary, 100);
    });
  });
}

/** A minute of it with PORT_REUSE_SECONDS=60. */
const PORT_REUSE_SECONDS = Number(process.env['PORT_REUSE_SECONDS'] ?? 5);

for (const delivery of ['tunnel', 'direct'] as const) {
  test(`${delivery}: 500 connections a second from 200 ports, each used again while the target has it in TIME-WAIT: none is lost`, async (context) => {
    await CopyLab.with({ delivery }, async (copyLab) => {
      const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
      const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
      await copyLab.start();
      const report = await copyLab.load({
        ...{ connections: 20, requests: 1, 'connections-total': 500 * PORT_REUSE_SECONDS, rate: 500 },
        ...{ 'client-port-start': 20_000, 'client-port-count': 200, close: 'server' },
      });
      const waiting = await copyLab.target.expect('ss', ['-Htan', 'state', 'time-wait', `sport = :${TARGET_PORT}`]);
      const summary = await copyLab.finish();
      context.diagnostic(`${Math.round(report.connections / report.seconds)} connections a second`);
      assert.notEqual(waiting.trim(), '', 'the target closed first, so it keeps connections in TIME-WAIT');
      // A port whose last connection has not come to its end at the target yet is not taken: that client gets another one.
      expectStreamsTimes(await streamsOf(online), await streamsOf(target), 1);
      expectNothingLost(summary, report.connections);
    });
  });
}
