/**
 * nginx as online and target at full speed: no request lost, none sent twice, each connection's requests in their order.
 *
 * Client, online, copy, intercept and target share the machine here. wrk therefore yields to all of them: a copy that gets too little
 * processor time for what clients send loses packets of the capture by design. So that other work on the machine does not do that either,
 * the buffer here bears nearly as long a stop as the load takes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Nginx, type NginxRequest, runWrk } from '../../../src/index.js';
import { CopyLab, type CopyLabOptions, ONLINE_PORT, TARGET_PORT } from '../kit/copy-lab.js';

interface LoadCase {
  readonly name: string;
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
  readonly isClosing: boolean;
  readonly options: CopyLabOptions;
}

const CASES: readonly LoadCase[] = [
  {
    name: '20 keep-alive connections, Tunnel, IPv4',
    path: '/',
    connections: 20,
    seconds: 10,
    isClosing: false,
    options: { delivery: 'tunnel', family: 4 },
  },
  {
    name: '20 keep-alive connections, Direct, IPv6',
    path: '/',
    connections: 20,
    seconds: 10,
    isClosing: false,
    options: { delivery: 'direct', family: 6 },
  },
  {
    name: 'a connection per request, Tunnel, IPv6',
    path: '/',
    connections: 20,
    seconds: 10,
    isClosing: true,
    options: { delivery: 'tunnel', family: 6 },
  },
  {
    name: 'a connection per request, Direct, IPv4',
    path: '/',
    connections: 20,
    seconds: 10,
    isClosing: true,
    options: { delivery: 'direct', family: 4 },
  },
  {
    name: '100 KB responses, Tunnel, IPv4',
    path: '/100k',
    connections: 20,
    seconds: 10,
    isClosing: false,
    options: { delivery: 'tunnel', family: 4, lab: { wire: 'segments' } },
  },
  {
    name: '100 KB responses, Direct, IPv6',
    path: '/100k',
    connections: 20,
    seconds: 5,
    isClosing: false,
    options: { delivery: 'direct', family: 6 },
  },
];

/** The numbered URIs of each connection in their order; a number is given once, so the first one names the connection. */
function byConnection(requests: readonly NginxRequest[]): Map<string, string> {
  const connections = new Map<number, string[]>();
  for (const { connection, uri } of requests) {
    const uris = connections.get(connection);
    if (uris === undefined) connections.set(connection, [uri]);
    else uris.push(uri);
  }
  return new Map([...connections.values()].map((uris) => [uris[0]!, uris.join(' ')]));
}

function expectSameRequests(online: readonly NginxRequest[], target: readonly NginxRequest[]): void {
  const [expected, actual] = [byConnection(online), byConnection(target)];
  const arrived = new Set(target.map(({ uri }) => uri));
  assert.equal(arrived.size, target.length, 'a request arrived twice');
  const missing = online.filter(({ uri }) => !arrived.has(uri));
  assert.equal(
    missing.length,
    0,
    `missing at the target: ${missing.slice(0, 10).map(({ client, uri }) => `${uri} of ${client}`)}`,
  );
  assert.equal(target.length, online.length, 'requests at the target that online never had');
  const different = [...expected].filter(([first, uris]) => actual.get(first) !== uris);
  assert.equal(
    different.length,
    0,
    `${different.length} of ${expected.size} connections arrived in another order or in parts`,
  );
}

/** Megabytes: 1024 blocks, each of which is handed over after 8 ms at the latest. */
const CAPTURE_BUFFER = ['-B', '256'];

for (const { name, path, connections, seconds, isClosing, options } of CASES) {
  test(`nginx, ${name}: every request arrives once, on its connection, in its order`, async (context) => {
    await CopyLab.with({ ...options, copyFlags: CAPTURE_BUFFER }, async (copyLab) => {
      const online = await Nginx.start(copyLab.online, { port: ONLINE_PORT });
      const target = await Nginx.start(copyLab.target, { port: TARGET_PORT });
      await copyLab.start();
      const host = copyLab.family === 6 ? `[${copyLab.online.ipv6}]` : copyLab.online.ipv4;
      const url = `http://${host}:${ONLINE_PORT}${path}`;
      const load = { url, connections, seconds, isClosing, isNumbered: true, isYielding: true };
      const wrk = await runWrk(copyLab.client, load);
      assert.equal(wrk.errors, 0, 'the clients of online met errors');
      const summary = await copyLab.finish();
      const [atOnline, atTarget] = [await online.requests(), await target.requests()];
      context.diagnostic(
        `${Math.round(wrk.requestsPerSecond)} requests/s, p99 ${wrk.latencyUs.p99} us, copy ${summary.cpu.usPerTurn.toFixed(1)} us/request`,
      );
      assert.equal(summary.capture.drops, 0, 'the capture dropped packets');
      assert.equal(summary.turns.lost, 0, JSON.stringify(summary));
      assert.ok(atOnline.length >= wrk.requests);
      expectSameRequests(atOnline, atTarget);
    });
  });
}

test('nginx, uploads of 10 MB, Tunnel, IPv4: every octet of every upload arrives', async () => {
  await CopyLab.with({}, async (copyLab) => {
    const online = await Nginx.start(copyLab.online, { port: ONLINE_PORT });
    const target = await Nginx.start(copyLab.target, { port: TARGET_PORT });
    await copyLab.start();
    await copyLab.load({ connections: 4, requests: 3, 'connections-total': 8, 'body-bytes': 10_000_000 });
    const summary = await copyLab.finish();
    const sizes = (requests: readonly NginxRequest[]): string[] =>
      requests.map(({ client, requestBytes, status }) => `${client}: ${requestBytes} octets, status ${status}`).sort();
    const atOnline = await online.requests();
    assert.equal(atOnline.length, 24);
    assert.ok(atOnline.every(({ requestBytes }) => requestBytes > 10_000_000));
    assert.deepEqual(sizes(await target.requests()), sizes(atOnline));
    assert.equal(summary.capture.drops, 0, 'the capture dropped packets');
    assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
  });
});
