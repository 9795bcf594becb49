import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runWrk } from '@trafficcopy/lab';
import { CopyRig, endOf, ONLINE_PORT, requestLines, TARGET_PORT } from '../kit/copy-rig.js';

const NEEDS_ROOT = { skip: process.geteuid?.() === 0 ? false : 'needs root' };

/** All request lines that arrived, in the order of the connections. */
function allLines(streams: Map<string, string[]>): string[] {
  return [...streams.values()].flat().flatMap(requestLines);
}

for (const family of [4, 6] as const) {
  for (const tls of [false, true]) {
    test(
      `IPv${family}, ${tls ? 'TLS' : 'plain'}: what clients send arrives, connection by connection`,
      NEEDS_ROOT,
      () =>
        CopyRig.with({ tls }, async (rig) => {
          const address = (host: 'online' | 'target') =>
            family === 4 ? rig.lab.host(host).ipv4 : `[${rig.lab.host(host).ipv6}]`;
          const copy = await rig.startCopy({ map: `${ONLINE_PORT}-${address('target')}:${TARGET_PORT}` });
          await rig.request(['/a1', '/a2', '/a3'], 'client', address('online')).catch(() => {});
          await rig.request(['/?b1'], 'client', address('online'));
          await copy.quiet();
          const summary = await endOf(copy);
          const streams = await rig.stopIntercept();
          assert.deepEqual(allLines(streams), ['/a1', '/a2', '/a3', '/?b1']);
          assert.equal(streams.size, 2);
          assert.deepEqual(
            [...new Set([...streams.keys()].map((client) => client.split(' ')[0]))],
            [family === 4 ? rig.lab.client.ipv4 : rig.lab.client.ipv6],
          );
          assert.equal(summary.turns.captured, 4);
          assert.equal(summary.turns.delivered, 4);
          assert.equal(summary.engine.terminal['copied'], 2);
        }),
    );
  }
}

test('clients on 127.0.0.1 are copied with -c, each packet once, from the address of -c', NEEDS_ROOT, () =>
  CopyRig.with({}, async (rig) => {
    const copy = await rig.startCopy({ flags: ['-i', 'lo,eth0', '-c', '10.77.0.200'] });
    await rig.request(['/?1', '/?2'], 'online', '127.0.0.1');
    await rig.request(['/?3']);
    await copy.quiet();
    const summary = await endOf(copy);
    const streams = await rig.stopIntercept();
    assert.deepEqual(allLines(streams), ['/?1', '/?2', '/?3']);
    for (const client of streams.keys()) assert.match(client, /^10\.77\.0\.200 /);
    assert.equal(summary.engine.connectionsSeen, 2);
  }),
);

test('a target that opens its window octet by octet gets every octet', NEEDS_ROOT, () =>
  CopyRig.with({ windowBytes: 1 }, async (rig) => {
    const copy = await rig.startCopy();
    const uris = ['/?1', '/?2', '/?3'];
    await rig.request(uris);
    await copy.quiet();
    const summary = await endOf(copy);
    const [stream = ''] = [...(await rig.stopIntercept()).values()].flat();
    assert.deepEqual(requestLines(stream), uris);
    assert.equal(summary.turns.delivered, 3);
    assert.ok(summary.engine.packetsSent >= stream.length, `${stream.length} octets`);
  }),
);

test('what this host itself asks of others at the mapped port is not copied', NEEDS_ROOT, () =>
  CopyRig.with({}, async (rig) => {
    const copy = await rig.startCopy();
    await rig.lab.online.run('curl', ['-s', '-m', '2', `http://${rig.lab.client.ipv4}:${ONLINE_PORT}/`]);
    await rig.request(['/?1']);
    await copy.quiet();
    const summary = await endOf(copy);
    assert.deepEqual(allLines(await rig.stopIntercept()), ['/?1']);
    assert.equal(summary.engine.connectionsSeen, 1);
  }),
);

test('an address that the host gets later is copied too', NEEDS_ROOT, () =>
  CopyRig.with({}, async (rig) => {
    const copy = await rig.startCopy();
    await rig.lab.online.expect('ip', ['address', 'add', '10.77.0.99/24', 'dev', 'eth0']);
    await copy.process.waitForLine(/the capture follows them/);
    await rig.request(['/?1'], 'client', '10.77.0.99');
    await copy.quiet();
    await endOf(copy);
    assert.deepEqual(allLines(await rig.stopIntercept()), ['/?1']);
  }),
);

test('an intercept that comes late: not ready until then, production served meanwhile', NEEDS_ROOT, () =>
  CopyRig.with({ withoutIntercept: true }, async (rig) => {
    const copy = await rig.startCopy({ waitReady: false });
    await copy.process.waitForLine(/no channel to intercept yet/);
    await rig.request(['/?before']);
    await rig.startIntercept();
    await copy.ready();
    await rig.request(['/?after']);
    await copy.quiet();
    await endOf(copy);
    assert.deepEqual(allLines(await rig.stopIntercept()), ['/?after']);
  }),
);

test('an intercept that is killed and comes back: clients notice nothing and copying goes on', NEEDS_ROOT, () =>
  CopyRig.with({}, async (rig) => {
    const copy = await rig.startCopy();
    await rig.request(['/?1']);
    await copy.quiet();
    await rig.stopIntercept('SIGKILL');
    await copy.process.waitForLine(/channel to intercept lost/);
    await rig.request(['/?2']);
    await rig.startIntercept();
    await copy.ready();
    await rig.request(['/?3']);
    await copy.quiet();
    const summary = await endOf(copy);
    assert.equal(summary.turns.delivered, 3);
    assert.deepEqual(allLines(await rig.stopIntercept()).toSorted(), ['/?2', '/?3']);
  }),
);

test('a copy that was stopped for a while: drops of the capture buffer are counted and named', NEEDS_ROOT, () =>
  CopyRig.with({}, async (rig) => {
    const copy = await rig.startCopy({ flags: ['-B', '1'] });
    copy.process.signal('SIGSTOP');
    await runWrk(rig.lab.client, { url: `http://${rig.lab.online.ipv4}/`, connections: 4, seconds: 2 });
    copy.process.signal('SIGCONT');
    await copy.process.waitForLine(/a larger -B\/--capture-buffer helps/);
    assert.ok((await copy.metric('trafficcopy_copy_ring_drops_total')) > 0);
    const summary = await endOf(copy);
    assert.ok(summary.capture.drops > 0);
    assert.ok(copy.process.stdoutLines.some((line) => line.includes('dropped by the capture buffer')));
    const { captured, delivered, lost } = summary.turns;
    assert.equal(captured, delivered + lost);
  }),
);

test('--duration ends it in order; kill -9 harms no client', NEEDS_ROOT, () =>
  CopyRig.with({}, async (rig) => {
    const copy = await rig.startCopy({ flags: ['--duration', '1s'] });
    await copy.process.expectEnd(20_000, [0]);
    assert.equal(copy.summary()['endReason'], 'duration');
    const second = await rig.startCopy();
    await second.process.stop('SIGKILL');
    await rig.request(['/?1']);
  }),
);
