/** Capture files over ordinary connections (--connect): by a user without rights, to targets that nobody prepared. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Nginx } from '../../src/index.js';
import { CopyLab, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';
import { replayAsNobody } from './kit/nobody.js';
import { expectStreamsTimes, streamsOf } from './kit/streams.js';

for (const family of [4, 6] as const) {
  test(`IPv${family}, nobody, -n 2 -a max: each recorded stream arrives twice, byte for byte, from the host of the copy`, () =>
    CopyLab.with({ family }, async (copyLab) => {
      const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
      const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
      const sniffer = await copyLab.online.sniff(`tcp port ${ONLINE_PORT}`, { isWhole: true });
      await copyLab.load({ connections: 10, requests: 5, 'connections-total': 30, 'body-bytes': 30_000 });
      await sniffer.stop();
      const summary = await replayAsNobody(copyLab, sniffer.file, { flags: ['-n', '2', '-a', 'max'] });
      const [atOnline, atTarget] = [await streamsOf(online), await streamsOf(target)];
      assert.equal(atOnline.length, 30);
      expectStreamsTimes(atOnline, atTarget, 2);
      const own = copyLab.online.address(family);
      const from = new Set(atTarget.map(({ client }) => client.slice(0, client.lastIndexOf(':'))));
      assert.deepEqual(from, new Set([family === 6 ? `[${own}]` : own]));
      assert.equal(summary.turns.captured, summary.turns.delivered);
      assert.equal(summary.engine.terminal['copied'], 60);
    }));
}

test('with twenty ports for sixty connections at one time the recording waits, and nothing is lost', () =>
  CopyLab.with({}, async (copyLab) => {
    const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
    const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
    const sniffer = await copyLab.online.sniff(`tcp port ${ONLINE_PORT}`, { isWhole: true });
    await copyLab.load({ connections: 60, requests: 3, 'connections-total': 60, 'pause-ms': 20, close: 'reset' });
    await sniffer.stop();
    await copyLab.online.expect('sysctl', ['-w', 'net.ipv4.ip_local_port_range=40000 40019']);
    const summary = await replayAsNobody(copyLab, sniffer.file, { flags: ['-a', 'max'] });
    expectStreamsTimes(await streamsOf(online), await streamsOf(target), 1);
    assert.equal(summary.engine.terminal['copied'], 60);
    assert.equal(summary.turns.lost, 0);
  }));

test('nginx, which closes connections after seven requests: each recorded request arrives once', () =>
  CopyLab.with({}, async (copyLab) => {
    const online = await Nginx.start(copyLab.online, { port: ONLINE_PORT });
    const target = await Nginx.start(copyLab.target, { port: TARGET_PORT, keepaliveRequests: 7 });
    const sniffer = await copyLab.online.sniff(`tcp port ${ONLINE_PORT}`, { isWhole: true });
    await copyLab.load({ connections: 10, requests: 20, 'connections-total': 20, path: '/?id=#' });
    await sniffer.stop();
    const summary = await replayAsNobody(copyLab, sniffer.file);
    const expected = (await online.requests()).map(({ uri }) => uri).sort();
    const arrived = await target.requests();
    assert.equal(expected.length, 400);
    assert.deepEqual(arrived.map(({ uri }) => uri).sort(), expected);
    assert.ok(arrived.every(({ status }) => status === 200));
    assert.equal(summary.turns.lost, 0);
    assert.equal(summary.turns.answered, 400);
    assert.ok(summary.engine.sessionsResumed >= 40, `${summary.engine.sessionsResumed} fresh connections`);
  }));
