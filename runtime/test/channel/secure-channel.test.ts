import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import net from 'node:net';
import { test } from 'node:test';
import tls from 'node:tls';
import {
  CHANNEL_VERSION,
  type ChannelRole,
  encodeFrame,
  encodeHello,
  FRAME,
  FRAME_PAYLOAD_BYTES_MAX,
  parseRefusal,
  type RefusalCode,
} from '@trafficcopy/core';
import { certificateRequest } from '../../src/identity/certificate-request.js';
import {
  type Authority,
  type ClientCredentials,
  formatJoinToken,
  join,
  newJoinToken,
  obtainCredentials,
  parseJoinToken,
} from '../../src/index.js';
import { ChannelFixture, CLIENT_HELLO, exchangeFrames, type Observer, until } from './channel-fixture.js';

const DAY_MS = 24 * 3600 * 1000;

/** Credentials straight from an authority, without a channel. */
async function issue(authority: Authority, role: ChannelRole = 'copy'): Promise<ClientCredentials> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const { secret } = parseJoinToken(await authority.issueToken({ role }));
  const request = { version: CHANNEL_VERSION, secret, role, name: 'online-1' };
  const grant = await authority.join({ ...request, certificateRequest: await certificateRequest(key) });
  assert.ok('certificate' in grant);
  return { key, ...grant };
}

async function expectRefused(client: Observer, server: Observer, refusal: RefusalCode): Promise<void> {
  await until(`both sides know of ${refusal}`, () => client.downs.length > 0 && server.refusals.length > 0);
  assert.equal(client.downs[0]!.reason.code, 'ERR_CHANNEL_REFUSED');
  assert.equal(client.downs[0]!.reason.refusal, refusal);
  assert.equal(client.downs[0]!.willRetry, false);
  assert.equal(server.refusals[0]!.code, 'ERR_CHANNEL_PEER_REFUSED');
  assert.equal(server.refusals[0]!.refusal, refusal);
  assert.equal(client.connections.length, 0);
  assert.equal(server.connections.length, 0);
}

test('a copy that joined with a token talks to intercept under its certificate’s identity', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const { server, seen } = await fixture.serveSecurely(authority);
  const credentials = await fixture.join(authority, server.port);
  const client = fixture.connect({ port: server.port, credentials });
  await until('both sides are up', () => seen.connections.length === 1 && client.seen.connections.length === 1);
  assert.equal(seen.connections[0]!.identity?.role, 'copy');
  assert.match(seen.connections[0]!.identity!.name, /^online-1-[0-9a-f]{8}$/);
  assert.deepEqual(seen.joined, [seen.connections[0]!.identity!.name]);
  assert.equal(client.seen.connections[0]!.identity?.role, 'intercept');
  assert.equal(client.seen.connections[0]!.peer.name, 'target-1');
  assert.ok(client.client.connection!.send(FRAME.STATS, Buffer.from('{"a":1}')));
  assert.ok(seen.connections[0]!.send(FRAME.HEADERS, Buffer.alloc(4)));
  await until('the frames are there', () => seen.frames.length === 1 && client.seen.frames.length === 1);
  assert.deepEqual(seen.frames[0], { type: FRAME.STATS, payload: Buffer.from('{"a":1}') });
  assert.deepEqual(seen.refusals, []);
});

test('frames of all sizes arrive whole, in order and unchanged, in both directions', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const { server, seen } = await fixture.serveSecurely(authority);
  const credentials = await fixture.join(authority, server.port);
  const client = fixture.connect({ port: server.port, credentials });
  const sizes = [0, 65_528, 1, 200_000, FRAME_PAYLOAD_BYTES_MAX, 3, FRAME_PAYLOAD_BYTES_MAX, 262_136, 0];
  await exchangeFrames(client, seen, sizes);
});

test('a certificate that another authority issued is refused by the server with certificateUnknown', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const stranger = await issue(await fixture.authority({}, 'other'));
  const { server, seen } = await fixture.serveSecurely(authority);
  const credentials = { ...stranger, authority: authority.certificate };
  const client = fixture.connect({ port: server.port, credentials });
  await expectRefused(client.seen, seen, 'certificateUnknown');
});

test('a server of another authority is not trusted, and the client gives up with ERR_CHANNEL_SERVER_CERTIFICATE', async (t) => {
  const fixture = new ChannelFixture(t);
  const { server, seen } = await fixture.serveSecurely(await fixture.authority());
  const credentials = await issue(await fixture.authority({}, 'other'));
  const client = fixture.connect({ port: server.port, credentials });
  await until('the client gave up', () => client.seen.downs.length === 1);
  assert.equal(client.seen.downs[0]!.reason.code, 'ERR_CHANNEL_SERVER_CERTIFICATE');
  assert.match(client.seen.downs[0]!.reason.message, /its authority is not the one/);
  assert.equal(client.seen.downs[0]!.willRetry, false);
  await until('the server knows too', () => seen.refusals.length === 1);
});

test('a client certificate that has ended is refused with certificateExpired and both times in the message', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const past = await fixture.authority({ now: () => Date.now() - 60 * DAY_MS });
  assert.equal(past.pin, authority.pin);
  const { server, seen } = await fixture.serveSecurely(authority);
  // The authority itself is younger than that certificate's beginning; only the end matters here.
  const client = fixture.connect({ port: server.port, credentials: await issue(past) });
  await expectRefused(client.seen, seen, 'certificateExpired');
  assert.match(client.seen.downs[0]!.reason.message, /valid from .* to .*, and the time here is/);
});

test('a client certificate that has not begun is refused, and the client comes again: a clock will be set right', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const ahead = await fixture.authority({ now: () => Date.now() + DAY_MS });
  const { server, seen } = await fixture.serveSecurely(authority);
  const client = fixture.connect({ port: server.port, credentials: await issue(ahead) });
  await until('the client was refused twice', () => client.seen.downs.length >= 2);
  assert.deepEqual([...new Set(seen.refusals.map(({ refusal }) => refusal))], ['unavailable']);
  for (const { willRetry } of client.seen.downs) assert.equal(willRetry, true);
  assert.match(client.seen.downs[0]!.reason.message, /valid from .* to .*, and the time here is .*; check the clocks/);
});

for (const [what, offsetMs, words] of [
  ['has ended', -60 * DAY_MS, /expired/],
  ['has not begun', DAY_MS, /not valid yet/],
] as const) {
  test(`a server certificate that ${what} is not trusted, and the client comes again: a clock will be set right`, async (t) => {
    const fixture = new ChannelFixture(t);
    const authority = await fixture.authority();
    const elsewhen = await fixture.authority({ now: () => Date.now() + offsetMs });
    const { server } = await fixture.serve({ credentials: await elsewhen.serverCredentials() });
    const client = fixture.connect({ port: server.port, credentials: await issue(authority) });
    await until('the client tried twice', () => client.seen.downs.length >= 2);
    for (const { reason, willRetry } of client.seen.downs) {
      assert.equal(reason.code, 'ERR_CHANNEL_CERTIFICATE_TIME');
      assert.match(reason.message, words);
      assert.equal(willRetry, true);
    }
  });
}

test('an authority whose clock is five minutes fast issues certificates that are good at once', async (t) => {
  const fixture = new ChannelFixture(t);
  const fast = await fixture.authority({ now: () => Date.now() + 5 * 60_000 });
  const { server, seen } = await fixture.serveSecurely(fast);
  const client = fixture.connect({ port: server.port, credentials: await issue(fast) });
  await until('both sides are up', () => seen.connections.length === 1 && client.seen.connections.length === 1);
});

test('a copy’s certificate cannot serve as intercept’s', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const { server } = await fixture.serve({ credentials: await issue(authority) });
  const client = fixture.connect({ port: server.port, credentials: await issue(authority) });
  await until('the client gave up', () => client.seen.downs.length === 1);
  assert.equal(client.seen.downs[0]!.reason.code, 'ERR_CHANNEL_SERVER_CERTIFICATE');
});

test('a HELLO whose role is not the certificate’s is refused', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const { server, seen } = await fixture.serveSecurely(authority);
  const hello = { ...CLIENT_HELLO, role: 'operator' } as const;
  const client = fixture.connect({ port: server.port, credentials: await issue(authority), hello });
  await expectRefused(client.seen, seen, 'role');
});

test('a role that the server does not serve is refused', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const { server, seen } = await fixture.serveSecurely(authority);
  const hello = { ...CLIENT_HELLO, role: 'intercept' } as const;
  const client = fixture.connect({ port: server.port, credentials: await issue(authority, 'intercept'), hello });
  await expectRefused(client.seen, seen, 'role');
});

test('the user’s authorize has the last word', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const { server, seen } = await fixture.serveSecurely(authority, {
    authorize: (hello, identity) => ({ code: 'forbidden', message: `${identity?.role} ${hello.name} may not` }),
  });
  const client = fixture.connect({ port: server.port, credentials: await issue(authority) });
  await expectRefused(client.seen, seen, 'forbidden');
  assert.match(client.seen.downs[0]!.reason.message, /copy online-1 may not/);
});

test('HELLO without a client certificate is refused with certificateRequired', async (t) => {
  const fixture = new ChannelFixture(t);
  const { server, seen } = await fixture.serveSecurely(await fixture.authority());
  const socket = tls.connect({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false });
  const received: Buffer[] = [];
  socket.on('data', (chunk) => received.push(chunk));
  socket.write(encodeFrame(FRAME.HELLO, encodeHello({ ...CLIENT_HELLO, version: CHANNEL_VERSION })));
  await new Promise((resolve) => socket.once('close', resolve));
  const bytes = Buffer.concat(received);
  assert.equal(bytes[4], FRAME.REFUSED);
  assert.equal(parseRefusal(bytes, 8)?.code, 'certificateRequired');
  assert.equal(seen.refusals[0]?.refusal, 'certificateRequired');
});

test('TLS 1.2 is refused', async (t) => {
  const fixture = new ChannelFixture(t);
  const { server, seen } = await fixture.serveSecurely(await fixture.authority());
  const socket = tls.connect({
    host: '127.0.0.1',
    port: server.port,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.2',
  });
  const error = await new Promise<NodeJS.ErrnoException>((resolve) => socket.once('error', resolve));
  assert.match(error.code ?? '', /ALERT_PROTOCOL_VERSION/);
  await until('the server knows too', () => seen.refusals.length === 1);
  assert.match(seen.refusals[0]!.message, /no TLS 1\.3/);
});

for (const [what, octets, expected] of [
  ['garbage', Buffer.from('deadbeef'.repeat(4), 'hex'), /TLS/],
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), /it speaks HTTP/],
  ['half a ClientHello', Buffer.from('160301020001', 'hex'), /no TLS handshake within/],
  ['nothing', Buffer.alloc(0), /no TLS handshake within/],
] as const) {
  test(`a stranger that sends ${what} to the TLS port is closed and named, and others are served`, async (t) => {
    const fixture = new ChannelFixture(t);
    const authority = await fixture.authority();
    const { server, seen } = await fixture.serveSecurely(authority, { handshakeTimeoutMs: 150 });
    const socket = net.connect({ host: '127.0.0.1', port: server.port });
    socket.on('error', () => {});
    socket.on('data', () => {});
    socket.write(octets);
    await new Promise((resolve) => socket.once('close', resolve));
    await until('the server told', () => seen.refusals.length === 1);
    assert.match(seen.refusals[0]!.message, expected);
    assert.equal(server.handshakes, 0);
    const client = fixture.connect({ port: server.port, credentials: await issue(authority) });
    await until('another client is served', () => client.seen.connections.length === 1);
  });
}

test('a TLS peer that never says HELLO hears handshakeTimeout', async (t) => {
  const fixture = new ChannelFixture(t);
  const { server, seen } = await fixture.serveSecurely(await fixture.authority(), { handshakeTimeoutMs: 250 });
  const socket = tls.connect({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false });
  const received: Buffer[] = [];
  socket.on('data', (chunk) => received.push(chunk));
  await new Promise((resolve) => socket.once('close', resolve));
  assert.equal(parseRefusal(Buffer.concat(received), 8)?.code, 'handshakeTimeout');
  assert.equal(seen.refusals[0]?.refusal, 'handshakeTimeout');
});

test('a TLS client at an insecure server and an insecure client at a TLS server both say what is the matter', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const secure = await fixture.serveSecurely(authority);
  const plain = await fixture.serve({});
  const plainClient = fixture.connect({ port: secure.server.port });
  const secureClient = fixture.connect({ port: plain.server.port, credentials: await issue(authority) });
  await until('both clients failed', () => plainClient.seen.downs.length > 0 && secureClient.seen.downs.length > 0);
  assert.match(plainClient.seen.downs[0]!.reason.message, /does it expect TLS/);
  assert.match(secureClient.seen.downs[0]!.reason.message, /does not speak TLS/);
  await until('both servers told', () => secure.seen.refusals.length > 0 && plain.seen.refusals.length > 0);
  assert.match(secure.seen.refusals[0]!.message, /does not speak TLS/);
  assert.match(plain.seen.refusals[0]!.message, /speaks TLS/);
});

async function joinRefusal(
  fixture: ChannelFixture,
  port: number,
  token: string,
  state = 'state',
  role: ChannelRole = 'copy',
): Promise<{ code?: string; refusal?: string; message: string }> {
  const store = await fixture.store(port, state);
  return await join({ host: '127.0.0.1', port, token, name: 'x', role, store }).then(
    () => assert.fail('it joined'),
    (error) => error,
  );
}

test('tokens: an unknown, used, expired, foreign-role or unreadable one is refused by its name', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const { server, seen } = await fixture.serveSecurely(authority);
  const { port } = server;
  const unknown = await joinRefusal(fixture, port, formatJoinToken(newJoinToken(authority.pin)));
  assert.equal(unknown.refusal, 'tokenUnknown');
  assert.match(unknown.message, /this server did not issue the token; take a new one/);
  const token = await authority.issueToken();
  await join({ host: '127.0.0.1', port, token, name: 'a', store: await fixture.store(port, 'first') });
  assert.equal((await joinRefusal(fixture, port, token, 'second')).refusal, 'tokenUsed');
  const old = await fixture.authority({ now: () => Date.now() - 2 * 3600 * 1000 });
  assert.equal((await joinRefusal(fixture, port, await old.issueToken())).refusal, 'tokenExpired');
  assert.equal((await joinRefusal(fixture, port, await authority.issueToken({ role: 'operator' }))).refusal, 'role');
  const codes = seen.refusals.map((error) => error.refusal);
  assert.deepEqual(codes, ['tokenUnknown', 'tokenUsed', 'tokenExpired', 'role']);
  assert.equal((await joinRefusal(fixture, port, 'tc1.short')).code, 'ERR_CHANNEL_TOKEN');
  assert.equal((await joinRefusal(fixture, port, 'abc')).code, 'ERR_CHANNEL_TOKEN');
});

test('a token whose answer was lost works again for the same key, and only for it', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const { server } = await fixture.serveSecurely(authority);
  const store = await fixture.store(server.port, 'first');
  const key = await store.pendingKey();
  const token = await authority.issueToken();
  const options = { host: '127.0.0.1', port: server.port, token, name: 'a', store };
  // JOIN was answered, but the answer did not arrive: the store has the key only.
  const grant = await authority.join({
    version: CHANNEL_VERSION,
    secret: parseJoinToken(token).secret,
    role: 'copy',
    name: 'a',
    certificateRequest: await certificateRequest(key),
  });
  assert.ok('certificate' in grant);
  const credentials = await join(options);
  assert.equal(credentials.key, key);
  assert.equal((await joinRefusal(fixture, server.port, token, 'second')).refusal, 'tokenUsed');
});

test('a server whose authority has another key than the token pins never sees the secret', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const { server, seen } = await fixture.serveSecurely(await fixture.authority({}, 'impostor'));
  const refused = await joinRefusal(fixture, server.port, await authority.issueToken());
  assert.equal(refused.code, 'ERR_CHANNEL_PIN');
  await until('the server saw it leave', () => seen.refusals.length === 1);
  assert.match(seen.refusals[0]!.message, /left without HELLO|left during the TLS handshake/);
});

test('an impostor that shows the pinned authority’s certificate with a leaf of its own is found out', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const impostor = await fixture.authority({}, 'impostor');
  const credentials = { ...(await impostor.serverCredentials()), authority: authority.certificate };
  const { server } = await fixture.serve({ credentials });
  assert.equal((await joinRefusal(fixture, server.port, await authority.issueToken())).code, 'ERR_CHANNEL_PIN');
  const copy = await fixture.serve({ credentials: await issue(authority) });
  assert.equal((await joinRefusal(fixture, copy.server.port, await authority.issueToken())).code, 'ERR_CHANNEL_PIN');
});

test('JOIN is refused where there is no authority, and without TLS', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const { server } = await fixture.serve({ credentials: await authority.serverCredentials() });
  const token = await authority.issueToken();
  assert.equal((await joinRefusal(fixture, server.port, token)).refusal, 'joinUnavailable');
  const plain = await fixture.serve({ authority });
  assert.equal((await joinRefusal(fixture, plain.server.port, token)).code, 'ERR_CHANNEL_PROTOCOL');
});

test('obtainCredentials uses what is stored, joins with a token, and asks for one where neither is there', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const { server, seen } = await fixture.serveSecurely(authority);
  const store = await fixture.store(server.port);
  const options = { host: '127.0.0.1', port: server.port, name: 'online-1', store };
  await assert.rejects(obtainCredentials(options), { code: 'ERR_CHANNEL_TOKEN', message: /--join/ });
  const token = await authority.issueToken();
  const first = await obtainCredentials({ ...options, token });
  assert.deepEqual(await obtainCredentials({ ...options, token }), first);
  assert.deepEqual(await obtainCredentials(options), first);
  assert.equal(seen.joined.length, 1);
  // The server was set up anew: its token pins another authority, so the stored credentials are replaced.
  const next = await fixture.authority({}, 'next');
  const nextServer = await fixture.serveSecurely(next);
  const moved = { ...options, port: nextServer.server.port, token: await next.issueToken() };
  const second = await obtainCredentials(moved);
  assert.notEqual(second.authority, first.authority);
  assert.deepEqual(await store.load(), second);
});

test('a certificate past half of its life is renewed over the channel, keeps its name, and the next connection uses it', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  // Valid from ten minutes ago (clock skew) to five minutes from now: past its half at once.
  const short = await fixture.authority({ certificateLifetimeMs: 5 * 60_000 });
  const { server, seen } = await fixture.serveSecurely(authority);
  const credentials = await issue(short);
  const client = fixture.connect({ port: server.port, credentials });
  await until('a certificate was renewed', () => client.seen.renewed.length === 1);
  const renewed = client.seen.renewed[0]!;
  assert.notEqual(renewed.certificate, credentials.certificate);
  const [before, after] = [credentials, renewed].map(({ certificate }) => new X509Certificate(certificate));
  assert.equal(after!.subjectAltName, before!.subjectAltName);
  assert.ok(after!.validToDate.getTime() > before!.validToDate.getTime());
  assert.equal(seen.connections[0]!.identity!.notAfterMs, after!.validToDate.getTime());
  server.expel(seen.connections[0]!, 'come back');
  await until('the client came back', () => seen.connections.length === 2);
  assert.equal(seen.connections[1]!.identity!.fingerprint, after!.fingerprint256.replaceAll(':', '').toLowerCase());
});

test('a server without authority refuses RENEW, and the connection goes on', async (t) => {
  const fixture = new ChannelFixture(t);
  const short = await fixture.authority({ certificateLifetimeMs: 5 * 60_000 });
  const { server, seen } = await fixture.serve({ credentials: await short.serverCredentials() });
  const client = fixture.connect({ port: server.port, credentials: await issue(short) });
  await until('the client was told', () => client.seen.renewalFailures.length === 1);
  assert.match(client.seen.renewalFailures[0]!, /joinUnavailable/);
  assert.ok(client.client.connection!.send(FRAME.STATS, Buffer.from('{}')));
  await until('a frame arrives', () => seen.frames.length === 1);
});

test('a connection whose certificate ends is ended, and the client is told to join again', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const brief = await fixture.authority({ certificateLifetimeMs: 1500 });
  const { server, seen } = await fixture.serveSecurely(authority, { livenessIntervalMs: 100 });
  const client = fixture.connect({ port: server.port, credentials: await issue(brief), renew: false });
  await until('the client gave up', () => client.seen.downs.some((down) => !down.willRetry));
  assert.equal(client.seen.connections.length, 1);
  assert.equal(client.seen.downs[0]!.reason.goodbye?.code, 'certificateExpired');
  assert.equal(client.seen.downs.at(-1)!.reason.refusal, 'certificateExpired');
  assert.equal(seen.closed.length, 1);
});

test('the server renews its own certificate at half of its life', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const short = await fixture.authority({ certificateLifetimeMs: 5 * 60_000 });
  const old = await short.serverCredentials();
  const { server } = await fixture.serveSecurely(authority, { credentials: old });
  const shown = async (): Promise<string> => {
    const socket = tls.connect({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    const fingerprint = socket.getPeerX509Certificate()!.fingerprint256;
    socket.destroy();
    return fingerprint;
  };
  const first = await shown();
  assert.equal(first, new X509Certificate(old.certificate).fingerprint256);
  const endMs = Date.now() + 10_000;
  while ((await shown()) === first) assert.ok(Date.now() < endMs, 'the server still shows its old certificate');
});
