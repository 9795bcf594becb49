import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import type { JoinRequest } from '@trafficcopy/core';
import {
  authorityPin,
  CertificateAuthority,
  type ChannelAuthority,
  createAuthority,
  identityOf,
  join,
  MemoryCredentialStore,
  obtainCredentials,
  type PeerIdentity,
} from '../../src/index.js';
import { ChannelFixture, CLIENT_HELLO, SERVER_HELLO, until } from '../channel/channel-fixture.js';

const USAGES = ['server', 'client'] as const;
const SECRET = `${'h'.repeat(1000)}.${'p'.repeat(7000)}.${'s'.repeat(190)}`;

/** An authority that lets in whoever shows the secret, for both sides of a channel, and remembers from where. */
class OpenAuthority implements ChannelAuthority {
  readonly issuer: CertificateAuthority;
  readonly remotes: string[] = [];

  constructor(issuer: CertificateAuthority) {
    this.issuer = issuer;
  }

  async join(request: JoinRequest, remote: string) {
    this.remotes.push(remote);
    if (request.secret !== SECRET) return { code: 'tokenUnknown', message: 'another secret' } as const;
    return await this.issuer.grant(request.certificateRequest, { role: request.role, name: 'node-1', usages: USAGES });
  }

  async renew({ role, name }: PeerIdentity, certificateRequest: string) {
    return await this.issuer.grant(certificateRequest, { role, name, usages: USAGES });
  }

  async serverCredentials() {
    return await this.issuer.serverCredentials('operator', 'operator');
  }
}

async function openAuthority(certificateLifetimeMs?: number): Promise<OpenAuthority> {
  return new OpenAuthority(new CertificateAuthority(await createAuthority(), { certificateLifetimeMs }));
}

const OPERATOR_HELLO = { ...SERVER_HELLO, role: 'operator' } as const;
const serverRoles = ['operator'] as const;

test('a newcomer with a long secret and the authority’s certificate joins, and keeps nothing on disk', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await openAuthority();
  const { server } = await fixture.serve({
    credentials: await authority.serverCredentials(),
    authority,
    hello: OPERATOR_HELLO,
    clientRoles: ['intercept'],
  });
  const store = new MemoryCredentialStore();
  const token = { secret: SECRET, pin: authorityPin(authority.issuer.certificate) };
  const place = { host: '127.0.0.1', port: server.port, role: 'intercept', name: 'x', store, serverRoles } as const;
  const credentials = await join({ ...place, token });
  assert.deepEqual(await store.load(), credentials);
  assert.match(authority.remotes[0]!, /^127\.0\.0\.1:\d+$/);
  assert.deepEqual(await obtainCredentials(place), credentials, 'kept credentials need no token');
  assert.deepEqual(await obtainCredentials({ ...place, token }), credentials, 'nor do they with the same authority’s');
  await assert.rejects(join({ ...place, token: { ...token, secret: 'x' } }), { refusal: 'tokenUnknown' });
  const other = { ...token, pin: authorityPin((await createAuthority()).certificate) };
  await assert.rejects(join({ ...place, token: other }), { code: 'ERR_CHANNEL_PIN' });
});

test('a secret that is too long is refused, and the server goes on', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await openAuthority();
  const credentials = await authority.serverCredentials();
  const { server } = await fixture.serve({ credentials, authority, hello: OPERATOR_HELLO });
  const pin = authority.issuer.pin;
  for (const length of [8193, 20_000]) {
    const token = { secret: 'x'.repeat(length), pin };
    const store = new MemoryCredentialStore();
    const place = { host: '127.0.0.1', port: server.port, name: 'x', store, serverRoles };
    await assert.rejects(join({ ...place, token }), { refusal: 'protocol' });
  }
  assert.deepEqual(authority.remotes, []);
});

test('one certificate serves copies and talks to the operator; renewed there, it is shown here', async (t) => {
  const fixture = new ChannelFixture(t);
  // Begun ten minutes ago, ending in a minute: past its middle at once.
  const authority = await openAuthority(60_000);
  const operator = await fixture.serve({
    credentials: await authority.serverCredentials(),
    authority,
    hello: OPERATOR_HELLO,
    clientRoles: ['intercept', 'copy'],
  });
  const joined = async (role: 'intercept' | 'copy') => {
    const store = new MemoryCredentialStore();
    const token = { secret: SECRET, pin: authority.issuer.pin };
    return await join({ host: '127.0.0.1', port: operator.server.port, token, role, name: 'x', store, serverRoles });
  };
  const own = await joined('intercept');
  const intercept = await fixture.serve({ credentials: own });
  const link = fixture.connect({
    port: operator.server.port,
    credentials: own,
    hello: { ...CLIENT_HELLO, role: 'intercept' },
    serverRoles,
    onRenewed: (renewed) => {
      link.seen.renewed.push(renewed);
      intercept.server.setCredentials(renewed);
    },
  });
  await until('renewed at the operator', () => link.seen.renewed.length === 1);
  const copy = fixture.connect({ port: intercept.server.port, credentials: await joined('copy') });
  await until('a copy is up', () => copy.seen.connections.length === 1);
  const renewed = new X509Certificate(link.seen.renewed[0]!.certificate);
  assert.notEqual(renewed.serialNumber, new X509Certificate(own.certificate).serialNumber);
  assert.equal(copy.seen.connections[0]!.identity?.fingerprint, identityOf(renewed)?.fingerprint);
});

test('the key to join with stays the same until credentials are kept', async () => {
  const store = new MemoryCredentialStore();
  assert.equal(await store.load(), undefined);
  const key = await store.pendingKey();
  assert.equal(await store.pendingKey(), key);
  await store.save(await (await openAuthority()).serverCredentials());
  assert.notEqual(await store.pendingKey(), key);
});
