/** Who is let in, over real sockets. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import https from 'node:https';
import { test } from 'node:test';
import {
  authorityPin,
  createAuthority,
  formatJoinToken,
  identityOf,
  newJoinToken,
  parseJoinToken,
} from '@trafficcopy/runtime';
import { ClusterAuthority, type TokenReviewStatus } from '../../src/identity/index.js';
import { GONE_MAX, TrafficCopyRegistry } from '../../src/identity/traffic-copy-registry.js';
import { HubRig, INTERCEPT, OTHER, reviewOf, SECOND, SHOP, SOURCE, until } from '../kit/hub-rig.js';

function identityNameOf(certificate: string): string | undefined {
  return identityOf(new X509Certificate(certificate))?.name;
}

test('a source pod joins with the token of its TrafficCopy, and its certificate names TrafficCopy and pod', async (t) => {
  const rig = await HubRig.leading(t);
  const credentials = await rig.join();
  assert.equal(identityNameOf(credentials.certificate), `shop/${SHOP.uid}/${SOURCE.uid}`);
  assert.deepEqual(rig.joined, [`copy shop/${SHOP.uid}/${SOURCE.uid}`]);
  assert.deepEqual(new X509Certificate(credentials.certificate).keyUsage, ['1.3.6.1.5.5.7.3.2'], 'client only');
});

test('the same token lets every source pod in, and the same pod again with another key', async (t) => {
  const rig = await HubRig.leading(t);
  const first = await rig.join();
  assert.notEqual((await rig.join()).key, first.key);
  rig.pods.atLoopback = SECOND;
  assert.equal(identityNameOf((await rig.join()).certificate), `shop/${SHOP.uid}/${SECOND.uid}`);
});

test('every replica makes the same token, and a new authority another', async (t) => {
  const issuer = await createAuthority();
  const [one, two] = [new ClusterAuthority(issuer), new ClusterAuthority(issuer)];
  assert.equal(one.tokenOf('shop', SHOP.uid), two.tokenOf('shop', SHOP.uid));
  assert.notEqual(one.tokenOf('shop', SHOP.uid), one.tokenOf('shop', OTHER.uid));
  assert.notEqual(one.tokenOf('shop', SHOP.uid), one.tokenOf('shop2', SHOP.uid));
  const rig = await HubRig.leading(t);
  assert.notEqual(rig.token(), one.tokenOf('shop', SHOP.uid));
  assert.equal(rig.policy.registerTrafficCopy(SHOP), rig.token());
});

test('a token that nobody has is refused for good', async (t) => {
  const rig = await HubRig.leading(t);
  const stranger = formatJoinToken(newJoinToken(rig.authority.pin));
  const refused = { code: 'ERR_CHANNEL_REFUSED', refusal: 'tokenUnknown', message: /no TrafficCopy has this token/ };
  await assert.rejects(rig.join(stranger), refused);
});

test('the token of a TrafficCopy that is gone is refused as such, by every replica, until it is there again', async (t) => {
  const rig = await HubRig.leading(t);
  const token = rig.token();
  rig.policy.forgetTrafficCopy(SHOP.uid);
  for (const isComplete of [true, false]) {
    rig.policy.isComplete = isComplete;
    await assert.rejects(rig.join(token), { code: 'ERR_CHANNEL_REFUSED', refusal: 'gone' });
  }
  assert.equal(
    rig.refusals.every((error) => !error.message.includes(parseJoinToken(token).secret)),
    true,
  );
  rig.policy.registerTrafficCopy(SHOP);
  assert.ok((await rig.join(token)).certificate);
});

test('of TrafficCopies that are gone only so many are remembered', () => {
  const registry = new TrafficCopyRegistry();
  for (let number = 0; number <= GONE_MAX; number += 1) {
    registry.add({ ...SHOP, uid: `uid-${number}` }, `secret-${number}`);
    registry.delete(`uid-${number}`);
  }
  assert.deepEqual(
    ['secret-0', 'secret-1', `secret-${GONE_MAX}`].map((secret) => registry.isGone(secret)),
    [false, true, true],
  );
});

test('a token of another TrafficCopy lets a pod in only where that one selects it', async (t) => {
  const rig = await HubRig.leading(t);
  const token = rig.policy.registerTrafficCopy(OTHER);
  await assert.rejects(rig.join(token), { refusal: 'forbidden', message: /the pod at 127\.0\.0\.1 is none of them/ });
  rig.pods.sources.set(OTHER.uid, new Set([SOURCE.uid]));
  assert.equal(identityNameOf((await rig.join(token)).certificate), `shop/${OTHER.uid}/${SOURCE.uid}`);
});

test('a pod of another namespace is refused, whatever it selects', async (t) => {
  const rig = await HubRig.leading(t);
  rig.pods.atLoopback = { ...SOURCE, namespace: 'thief' };
  await assert.rejects(rig.join(), { refusal: 'forbidden' });
});

test('an address that no pod is known to have is asked to come again: the caches may be behind', async (t) => {
  const rig = await HubRig.leading(t);
  rig.pods.atLoopback = undefined;
  await assert.rejects(rig.join(), { refusal: 'unavailable', message: /no pod with the address 127\.0\.0\.1/ });
});

test('a replica that does not lead refuses nothing for good, since its caches may be behind', async (t) => {
  const rig = await HubRig.leading(t);
  rig.hub.follow('127.0.0.1');
  const stranger = formatJoinToken(newJoinToken(rig.authority.pin));
  await assert.rejects(rig.join(stranger), { refusal: 'unavailable' });
  assert.equal(identityNameOf((await rig.join()).certificate), `shop/${SHOP.uid}/${SOURCE.uid}`, 'but lets copies in');
});

test('a token of another authority is not even shown', async (t) => {
  const rig = await HubRig.leading(t);
  const other = new ClusterAuthority(await createAuthority());
  await assert.rejects(rig.join(other.tokenOf(SHOP.namespace, SHOP.uid)), { code: 'ERR_CHANNEL_PIN' });
});

test('an intercept joins with its service account, and its certificate is good for both sides of a channel', async (t) => {
  const rig = await HubRig.leading(t);
  const credentials = await rig.joinIntercept();
  const certificate = new X509Certificate(credentials.certificate);
  assert.equal(identityOf(certificate)?.role, 'intercept');
  assert.equal(identityOf(certificate)?.name, INTERCEPT.nodeName);
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
});

test('the service account token goes to the API server as it is, with our audience', async (t) => {
  const rig = await HubRig.leading(t);
  const secret = `${'h'.repeat(100)}.${'p'.repeat(7000)}.${'s'.repeat(500)}`;
  const asked: unknown[] = [];
  rig.pods.atLoopback = INTERCEPT;
  rig.review = (token, audience) => {
    asked.push([token, audience]);
    return Promise.resolve(reviewOf(INTERCEPT));
  };
  await rig.join({ secret, pin: rig.authority.pin }, 'intercept');
  assert.deepEqual(asked, [[secret, 'trafficcopy.dev']]);
});

const OTHER_POD = { ...INTERCEPT, uid: 'cccc' };
for (const [what, status, refusal] of [
  ['that the API server does not accept', { authenticated: false, error: 'expired' }, 'tokenUnknown'],
  ['for another audience', reviewOf(INTERCEPT, { audiences: ['https://kubernetes.default.svc'] }), 'tokenUnknown'],
  ['without an audience', reviewOf(INTERCEPT, { audiences: undefined }), 'tokenUnknown'],
  [
    'of another service account',
    reviewOf(INTERCEPT, { user: { username: 'system:serviceaccount:trafficcopy-system:default' } }),
    'forbidden',
  ],
  ['of another pod', reviewOf(OTHER_POD), 'unavailable'],
  ['of another node', reviewOf({ ...INTERCEPT, nodeName: 'node-9' }), 'unavailable'],
  ['about which nothing is said', {}, 'tokenUnknown'],
] as const satisfies readonly (readonly [string, TokenReviewStatus, string])[]) {
  test(`a service account token ${what} does not let an intercept in`, async (t) => {
    const rig = await HubRig.leading(t);
    rig.pods.atLoopback = INTERCEPT;
    rig.review = () => Promise.resolve(status);
    const token = { secret: 'a.b.c', pin: rig.authority.pin };
    await assert.rejects(rig.join(token, 'intercept'), { refusal });
    assert.deepEqual(rig.joined, []);
  });
}

test('nobody but a pod of the operator’s namespace makes the API server look at a token', async (t) => {
  const rig = await HubRig.leading(t);
  let reviews = 0;
  rig.review = () => {
    reviews += 1;
    return Promise.resolve(reviewOf(SOURCE));
  };
  const pin = rig.authority.pin;
  await assert.rejects(rig.join({ secret: 'a.b.c', pin }, 'intercept'), { refusal: 'forbidden' });
  rig.pods.atLoopback = INTERCEPT;
  await assert.rejects(rig.join({ secret: 'no token at all', pin }, 'intercept'), { refusal: 'tokenUnknown' });
  await assert.rejects(rig.join(rig.token(), 'intercept'), { refusal: 'tokenUnknown' });
  assert.equal(reviews, 0);
});

test('a review that fails is a fault of ours: the intercept comes again, and the log says why', async (t) => {
  const rig = await HubRig.leading(t);
  rig.pods.atLoopback = INTERCEPT;
  rig.review = () => Promise.reject(new Error('the API server is away'));
  await assert.rejects(rig.join({ secret: 'a.b.c', pin: rig.authority.pin }, 'intercept'), { refusal: 'unavailable' });
  assert.match(rig.faults[0]!.message, /the API server is away/);
});

test('a certificate is renewed while pod and TrafficCopy are there, and not afterwards', async (t) => {
  // Begun ten minutes ago, ending in a minute: past its middle at once.
  const rig = await HubRig.leading(t, { authority: { certificateLifetimeMs: 60_000 } });
  const credentials = await rig.join();
  const member = rig.connect(credentials);
  await until('it is renewed', () => member.renewed.length === 1);
  assert.equal(member.renewed[0]!.key, credentials.key);
  assert.equal(identityNameOf(member.renewed[0]!.certificate), identityNameOf(credentials.certificate));
  rig.pods.sources.get(SHOP.uid)!.delete(SOURCE.uid);
  const late = rig.connect(credentials);
  await until('it is refused', () => late.renewalFailures.length > 0);
  assert.match(late.renewalFailures[0]!, /no member any more/);
});

test('an intercept’s certificate is renewed for both sides while its node has an intercept', async (t) => {
  const rig = await HubRig.leading(t, { authority: { certificateLifetimeMs: 60_000 } });
  const member = rig.connect(await rig.joinIntercept(), 'intercept');
  await until('it is renewed', () => member.renewed.length === 1);
  assert.equal(new X509Certificate(member.renewed[0]!.certificate).keyUsage?.length, 2);
});

test('the webhook’s certificate is good for HTTPS under its service name, and for no channel', async (t) => {
  const rig = await HubRig.leading(t);
  const host = 'trafficcopy-webhook.trafficcopy-system.svc';
  const web = await rig.authority.webServerCredentials([host]);
  assert.equal(identityOf(new X509Certificate(web.certificate)), undefined);
  assert.equal(new X509Certificate(web.certificate).checkHost(host), host);
  const server = https.createServer({ key: web.key, cert: web.certificate }, (_request, response) =>
    response.end('ok'),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const options = { host: '127.0.0.1', port, servername: host, ca: rig.authority.certificate, agent: false };
    https
      .get(options, (response) => response.resume().on('end', () => resolve(response.statusCode)))
      .on('error', reject);
  });
  assert.equal(status, 200);
  const member = rig.connect({ ...web, authority: rig.authority.certificate });
  await until('the hub does not accept it', () => member.downs.length > 0);
  assert.equal(member.ups, 0);
});

test('a pin is that of the authority’s certificate, and what is none is named', async () => {
  const issuer = await createAuthority();
  assert.equal(authorityPin(issuer.certificate), new ClusterAuthority(issuer).pin);
  assert.throws(() => authorityPin('nothing'), { code: 'ERR_CHANNEL_TOKEN', message: /certificate cannot be read/ });
});

test('what is no authority is refused in words', async () => {
  const [one, two] = [await createAuthority(), await createAuthority()];
  assert.throws(() => new ClusterAuthority({ key: one.key, certificate: two.certificate }), /not the certificate’s/);
  assert.throws(() => new ClusterAuthority({ key: '', certificate: '' }), /the authority cannot be used/);
  const leaf = await new ClusterAuthority(one).hubCredentials();
  assert.throws(() => new ClusterAuthority(leaf), /not one of an authority/);
});
