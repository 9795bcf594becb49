/** The hub over real sockets: what it tells whom, and what it makes of what it hears. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import {
  COPY_SETTINGS_LIMITS,
  type CopySettings,
  FRAME,
  FRAME_PAYLOAD_BYTES_MAX,
  type InterceptPodSettings,
} from '@trafficcopy/core';
import { type ClientCredentials, createAuthority } from '@trafficcopy/runtime';
import { Registry } from 'prom-client';
import { LINK_RETENTION_MS } from '../../src/hub/index.js';
import { ClusterAuthority } from '../../src/identity/index.js';
import { HubRig, INTERCEPT, SECOND, SHOP, SOURCE, until } from '../kit/hub-rig.js';

const ENDPOINT = { address: '10.0.0.2', port: 80, interceptHost: '10.0.0.9', interceptPort: 36524 };
const SETTINGS: CopySettings = {
  kind: 'copy',
  generation: 1,
  state: 'running',
  delivery: 'tunnel',
  capture: 'wire',
  mappings: [{ onlinePort: 8080, targets: [{ name: 'candidate', endpoints: [ENDPOINT] }] }],
  sample: { fraction: 1, by: 'connection', seed: 0 },
  copies: 1,
  clientRanges: [],
  limits: { sessionsMax: 1000, heldBytesMax: 1_000_000, bytesPerSecondMax: 0 },
};
const TARGET: InterceptPodSettings = {
  uid: 'dddddddd-0000-4000-8000-000000000001',
  name: 'shop-staging/checkout-1',
  addresses: ['10.0.0.2'],
  grants: [{ owner: `shop/${SHOP.uid}`, ports: [80], clientRanges: [] }],
};

test('settings go to a copy that is there, and to one that comes later, whole', async (t) => {
  const rig = await HubRig.leading(t);
  const early = await rig.copyIn(SOURCE);
  assert.ok(rig.hub.setCopySettings(SOURCE.uid, SHOP.uid, SETTINGS));
  assert.ok(rig.hub.setCopySettings(SECOND.uid, SHOP.uid, SETTINGS));
  await until('the first has them', () => early.configs().length === 1);
  assert.deepEqual(early.configs()[0], SETTINGS);
  const late = await rig.copyIn(SECOND);
  await until('the second has them', () => late.configs().length === 1);
});

test('settings that do not differ are not sent again, those that do are', async (t) => {
  const rig = await HubRig.leading(t);
  const copy = await rig.copyIn(SOURCE);
  rig.hub.setCopySettings(SOURCE.uid, SHOP.uid, SETTINGS);
  rig.hub.setCopySettings(SOURCE.uid, SHOP.uid, SETTINGS);
  rig.hub.setCopySettings(SOURCE.uid, SHOP.uid, structuredClone(SETTINGS));
  rig.hub.setCopySettings(SOURCE.uid, SHOP.uid, { ...SETTINGS, generation: 2 });
  await until('the new ones are there', () => copy.configs().some(({ generation }) => generation === 2));
  assert.deepEqual(
    copy.configs().map(({ generation }) => generation),
    [1, 2],
  );
});

test('a ramp that goes on is sent with the time by our clock, and sent again only when something changed', async (t) => {
  const rig = await HubRig.leading(t);
  const copy = await rig.copyIn(SOURCE);
  const ramp = { durationMs: 600_000, beganAtMs: Date.now() - 60_000 };
  const beforeMs = Date.now();
  rig.hub.setCopySettings(SOURCE.uid, SHOP.uid, { ...SETTINGS, ramp });
  rig.hub.setCopySettings(SOURCE.uid, SHOP.uid, { ...SETTINGS, ramp });
  rig.hub.setCopySettings(SOURCE.uid, SHOP.uid, { ...SETTINGS, generation: 2, ramp });
  await until('the last ones are there', () => copy.configs().some(({ generation }) => generation === 2));
  assert.equal(copy.configs().length, 2);
  copy.connection!.close('lost');
  await until('it is told again', () => copy.ups === 2 && copy.configs().length === 3);
  const times = copy.configs().map((config) => Number(config['sentAtMs']));
  assert.ok(times[0]! >= beforeMs && times[2]! >= times[1]! && times[2]! <= Date.now());
});

test('a copy that comes back gets its settings again', async (t) => {
  const rig = await HubRig.leading(t);
  const copy = await rig.copyIn(SOURCE);
  rig.hub.setCopySettings(SOURCE.uid, SHOP.uid, SETTINGS);
  await until('they are there', () => copy.configs().length === 1);
  copy.connection!.close('lost');
  await until('it is told again', () => copy.ups === 2 && copy.configs().length === 2);
  assert.deepEqual(copy.configs()[1], SETTINGS);
});

test('settings beyond the limits are refused, and those before stay', async (t) => {
  const rig = await HubRig.leading(t);
  const copy = await rig.copyIn(SOURCE);
  assert.ok(rig.hub.setCopySettings(SOURCE.uid, SHOP.uid, SETTINGS));
  const mapping = { onlinePort: 1, targets: [{ name: 'x', endpoints: new Array(256).fill(ENDPOINT) }] };
  const mappings = new Array(COPY_SETTINGS_LIMITS.endpointsInAll / 256 + 1).fill(mapping);
  assert.equal(rig.hub.setCopySettings(SOURCE.uid, SHOP.uid, { ...SETTINGS, mappings }), false);
  assert.ok(rig.hub.setCopySettings(SOURCE.uid, SHOP.uid, { ...SETTINGS, generation: 3 }));
  await until('the last are there', () => copy.configs().length === 2);
  assert.equal(copy.configs()[1]!['generation'], 3);
});

test('a stop reaches copies that are there, and those that come later', async (t) => {
  const rig = await HubRig.leading(t);
  const copy = await rig.copyIn(SOURCE);
  rig.hub.setCopySettings(SOURCE.uid, SHOP.uid, SETTINGS);
  rig.hub.stopCopies(SHOP.uid, 'the time is over');
  rig.hub.stopCopies(SHOP.uid, 'the time is over');
  await until('it has stopped', () => copy.stops().length === 1);
  const late = await rig.copyIn(SECOND);
  await until('the late one too', () => late.stops().length === 1);
  assert.deepEqual(late.stops(), ['the time is over']);
  assert.deepEqual(late.configs(), []);
});

test('a stop of one copy leaves the others alone, and settings take it back', async (t) => {
  const rig = await HubRig.leading(t);
  const first = await rig.copyIn(SOURCE);
  const second = await rig.copyIn(SECOND);
  rig.hub.setCopySettings(SOURCE.uid, SHOP.uid, SETTINGS);
  rig.hub.setCopySettings(SECOND.uid, SHOP.uid, SETTINGS);
  rig.hub.stopCopy(SOURCE.uid, SHOP.uid, 'the pod is no source any more');
  await until('it has stopped', () => first.stops().length === 1);
  rig.hub.setCopySettings(SOURCE.uid, SHOP.uid, SETTINGS);
  await until('it is told to go on', () => first.configs().length === 2);
  assert.deepEqual(second.stops(), []);
});

test('a copy of a TrafficCopy that is gone is told to stop, whatever it was', async (t) => {
  const rig = await HubRig.leading(t);
  const copy = await rig.copyIn(SOURCE);
  rig.policy.forgetTrafficCopy(SHOP.uid);
  rig.hub.forgetCopies(SHOP.uid);
  await until('it has stopped', () => copy.stops().length >= 1);
  assert.deepEqual(copy.stops()[0], 'the TrafficCopy is gone');
  await until('it hears so again when it comes back', () => copy.stops().length >= 2);
  assert.deepEqual(rig.hub.copies(), []);
});

test('of two channels of one identity the newer wins', async (t) => {
  const rig = await HubRig.leading(t);
  const credentials = await rig.join();
  const first = rig.connect(credentials);
  await until('the first is there', () => rig.hub.copiesConnected === 1 && first.connection !== undefined);
  rig.hub.setCopySettings(SOURCE.uid, SHOP.uid, SETTINGS);
  await until('it is told', () => first.configs().length === 1);
  const second = rig.connect(credentials);
  await until('the first is sent away', () => first.downs.length === 1);
  assert.match(first.downs[0]!.reason.message, /another channel of the same identity/);
  await first.client.close();
  await until('the second is told', () => second.configs().length >= 1 && second.connection !== undefined);
  assert.equal(rig.hub.copiesConnected, 1);
});

test('a newer copy in a pod ends the older one, and a channel of the same process does not', async (t) => {
  const rig = await HubRig.leading(t);
  const credentials = await rig.join();
  const first = rig.connect(credentials, 'copy', ['instance:1']);
  await until('it is there', () => rig.hub.copiesConnected === 1);
  const again = rig.connect(credentials, 'copy', ['instance:1']);
  await until('the channel before is sent away', () => first.downs.length === 1);
  assert.deepEqual(first.stops(), []);
  await first.client.close();
  await until('the other channel is there', () => rig.hub.copiesConnected === 1 && again.connection !== undefined);
  rig.connect(credentials, 'copy', ['instance:2']);
  await until('it is told to stop', () => again.stops().length === 1);
  assert.match(String(again.stops()[0]), /a newer copy has taken its place/);
});

test('a certificate that is used from another pod than its own is not let in', async (t) => {
  const rig = await HubRig.leading(t);
  const stolen = await rig.join();
  rig.pods.atLoopback = SECOND;
  const thief = rig.connect(stolen);
  await until('it is refused', () => thief.downs.length > 0);
  assert.equal(thief.downs[0]!.reason.refusal, 'unavailable');
  assert.match(thief.downs[0]!.reason.message, /is the address of another pod/);
  assert.equal(thief.ups, 0);
});

test('a copy’s certificate does not make an intercept, nor the other way round', async (t) => {
  const rig = await HubRig.leading(t);
  const copy = rig.connect(await rig.join(), 'intercept');
  const intercept = rig.connect(await rig.joinIntercept(), 'copy');
  await until('both are refused', () => copy.downs.length > 0 && intercept.downs.length > 0);
  assert.equal(copy.downs[0]!.reason.refusal, 'role');
  assert.equal(intercept.downs[0]!.reason.refusal, 'role');
});

/** Credentials straight from an authority. */
async function issue(authority: ClusterAuthority): Promise<ClientCredentials> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = `shop/${SHOP.uid}/${SOURCE.uid}`;
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const certificate = await authority.issue(spki, { role: 'copy', name, usages: ['client'] });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  return { key, certificate, authority: authority.certificate };
}

test('expired and foreign certificates are refused in words', async (t) => {
  const issuer = await createAuthority();
  const rig = await HubRig.leading(t, { issuer });
  const past = new ClusterAuthority(issuer, { now: () => Date.now() - 30 * 24 * 3600 * 1000 });
  const old = rig.connect(await issue(past));
  await until('the old one is refused', () => old.downs.length === 1);
  assert.equal(old.downs[0]!.reason.refusal, 'certificateExpired');
  const foreign = await issue(new ClusterAuthority(await createAuthority()));
  const stranger = rig.connect({ ...foreign, authority: rig.authority.certificate });
  await until('the foreign one is refused', () => stranger.downs.length === 1);
  assert.equal(stranger.downs[0]!.reason.refusal, 'certificateUnknown');
  assert.equal(rig.hub.copiesConnected, 0);
});

test('a follower sends channels to the leader, where they get their settings', async (t) => {
  const issuer = await createAuthority();
  const leader = await HubRig.leading(t, { issuer, hub: { name: 'leader' } });
  const follower = await HubRig.leading(t, { issuer, hub: { name: 'follower', leaderPort: leader.hub.port } });
  follower.hub.follow('127.0.0.1');
  leader.hub.setCopySettings(SOURCE.uid, SHOP.uid, SETTINGS);
  const copy = leader.connect(await follower.join(), 'copy', [], follower.hub.port);
  await until('it is at the leader', () => copy.configs().length === 1);
  assert.equal(copy.serverName, 'leader');
  assert.equal(copy.downs[0]!.reason.goodbye?.code, 'redirect');
  assert.equal(follower.hub.counters.redirects, 1);
  assert.deepEqual(follower.hub.copies(), []);
});

test('a leader that becomes a follower sends away whom it has, and forgets them', async (t) => {
  const issuer = await createAuthority();
  const next = await HubRig.leading(t, { issuer, hub: { name: 'next' } });
  const rig = await HubRig.leading(t, { issuer, hub: { leaderPort: next.hub.port } });
  const copy = await rig.copyIn(SOURCE);
  rig.hub.follow('127.0.0.1');
  await until('the copy is at the next', () => next.hub.copiesConnected === 1 && copy.serverName === 'next');
  assert.equal(rig.hub.copiesConnected, 0);
  assert.equal(rig.hub.leadingMs, 0);
});

test('where nobody leads, a member is asked to come again, and does', async (t) => {
  const rig = await HubRig.leading(t);
  const credentials = await rig.join();
  rig.hub.follow(undefined);
  const copy = rig.connect(credentials);
  await until('it waits', () => copy.downs.length > 0);
  assert.equal(copy.downs[0]!.reason.refusal, 'unavailable');
  assert.equal(copy.downs[0]!.willRetry, true);
  rig.hub.lead();
  await until('it is there', () => rig.hub.copiesConnected === 1);
});

test('a report is kept with its age, and a change of more than figures is told', async (t) => {
  let nowMs = 1_000_000;
  const rig = await HubRig.leading(t, { hub: { now: () => nowMs } });
  const copy = await rig.copyIn(SOURCE);
  const changes = (): number => rig.changes.length;
  assert.deepEqual(rig.changes, [{ kind: 'copy', namespace: 'shop', trafficCopyUid: SHOP.uid, podUid: SOURCE.uid }]);
  assert.equal(rig.hub.copy(SOURCE.uid, SHOP.uid)?.reportAgeMs, Number.POSITIVE_INFINITY);
  const reported = async (turns: number): Promise<void> =>
    await until('it is read', () => rig.hub.copy(SOURCE.uid, SHOP.uid)?.report?.turnsCaptured === turns);
  copy.report({ turnsCaptured: 1, generation: 1 });
  await reported(1);
  assert.equal(changes(), 2, 'the first report is a change');
  nowMs += 1000;
  copy.report({ turnsCaptured: 2, generation: 1 });
  await reported(2);
  assert.equal(changes(), 2, 'figures are none');
  for (const [turns, change] of [
    [3, { endpoints: [{ endpoint: '10.0.0.2:80', isUp: true }] }],
    [4, { encrypted: { '8443': 3 } }],
    [5, { encrypted: { '8443': 4 } }],
    [6, { problems: ['no room'] }],
    [7, { state: 'suspended' }],
  ] as const) {
    nowMs += 1000;
    copy.report({ turnsCaptured: turns, ...change });
    await reported(turns);
  }
  assert.equal(changes(), 6, 'more connections with TLS on a port are none either');
  nowMs += 500;
  assert.equal(rig.hub.copy(SOURCE.uid, SHOP.uid)?.reportAgeMs, 500);
});

test('a copy that is gone is listed for a while, and told of', async (t) => {
  let nowMs = 1_000_000;
  const rig = await HubRig.leading(t, { hub: { now: () => nowMs } });
  const copy = await rig.copyIn(SOURCE);
  const before = rig.changes.length;
  await copy.client.close();
  await until('it is gone', () => rig.hub.copiesConnected === 0);
  assert.equal(rig.changes.length, before + 1);
  assert.equal(rig.hub.copies(SHOP.uid)[0]?.isConnected, false);
  nowMs += LINK_RETENTION_MS;
  assert.deepEqual(rig.hub.copies(SHOP.uid), []);
});

test('hostile reports change nothing, are counted, and cost nobody else anything', async (t) => {
  const rig = await HubRig.leading(t);
  const hostile = await rig.copyIn(SOURCE);
  const good = await rig.copyIn(SECOND);
  const frames = [Buffer.from(''), Buffer.from('{'), Buffer.from('[]'), Buffer.from('{"kind":"copy"}')];
  frames.push(Buffer.from('{"kind":"intercept","pods":[]}'), Buffer.alloc(FRAME_PAYLOAD_BYTES_MAX, 0x5b));
  for (const frame of frames) hostile.connection!.send(FRAME.STATS, frame);
  await until('all are refused', () => rig.hub.counters.reportsRefused === frames.length);
  for (let index = 0; index < 500; index += 1) hostile.report({ turnsCaptured: index });
  hostile.connection!.send(FRAME.CONFIG, Buffer.from('{}'));
  hostile.connection!.send(FRAME.STOP, Buffer.from('{}'));
  good.report({ turnsCaptured: 7, turnsDelivered: 7 });
  await until('the flood is over', () => rig.hub.counters.reports + rig.hub.counters.reportsRefused === 507);
  assert.ok(rig.hub.counters.reports < 100, `${rig.hub.counters.reports} were read`);
  assert.equal(rig.hub.copy(SECOND.uid, SHOP.uid)?.report?.turnsCaptured, 7);
  assert.equal(rig.hub.copiesConnected, 2);
});

test('an intercept is told the pods of its node with a revision that only grows', async (t) => {
  const rig = await HubRig.leading(t);
  assert.deepEqual(rig.hub.setInterceptSettings(INTERCEPT.nodeName, [TARGET]), []);
  const intercept = rig.connect(await rig.joinIntercept(), 'intercept');
  await until('it is told', () => intercept.configs().length === 1);
  assert.deepEqual(intercept.configs()[0]!['pods'], [TARGET]);
  rig.hub.setInterceptSettings(INTERCEPT.nodeName, [structuredClone(TARGET)]);
  rig.hub.setInterceptSettings(INTERCEPT.nodeName, []);
  await until('it is told of the change', () => intercept.configs().length === 2);
  const [first, second] = intercept.configs().map(({ revision }) => Number(revision));
  assert.ok(first! >= Date.now() - 60_000 && second! > first!, 'beyond those of any leader before');
  const state = rig.hub.intercept(INTERCEPT.nodeName);
  assert.deepEqual([state?.host, state?.port, state?.isCurrent], ['10.0.0.9', 36524, false]);
  intercept.reportIntercept({ revision: second!, pods: [{ uid: TARGET.uid, state: 'leaving', message: '' }] });
  await until('its report is on the settings', () => rig.hub.intercept(INTERCEPT.nodeName)?.isCurrent === true);
  assert.deepEqual(rig.changes.at(-1), { kind: 'intercept', node: INTERCEPT.nodeName });
  assert.equal(rig.hub.intercepts().length, 1);
});

test('pods that no frame has room for, or that cannot be told, are named', async (t) => {
  const rig = await HubRig.leading(t);
  const grants = new Array(20).fill({ owner: `shop/${SHOP.uid}`, ports: [80], clientRanges: ['198.18.0.0/15'] });
  const pods = Array.from({ length: 1000 }, (_, index) => ({ ...TARGET, uid: `uid-${index}`, grants }));
  const broken = { ...TARGET, uid: 'broken', addresses: ['nowhere'] };
  const leftOut = rig.hub.setInterceptSettings(INTERCEPT.nodeName, [broken, ...pods]);
  assert.equal(leftOut[0], 'broken');
  assert.ok(leftOut.length > 1 && leftOut.length < 1000);
  assert.equal(leftOut.at(-1), 'uid-999');
  const intercept = rig.connect(await rig.joinIntercept(), 'intercept');
  await until('it is told the rest', () => intercept.configs().length === 1);
  assert.equal((intercept.configs()[0]!['pods'] as unknown[]).length, 1001 - leftOut.length);
});

test('what a slow peer had no room for it is told when there is room', async (t) => {
  const rig = await HubRig.leading(t);
  const copy = await rig.copyIn(SOURCE);
  const endpoint = { ...ENDPOINT, interceptHost: 'h'.repeat(200) };
  const mapping = { onlinePort: 1, targets: [{ name: 'x', endpoints: new Array(256).fill(endpoint) }] };
  const large = { ...SETTINGS, mappings: new Array(13).fill(mapping) };
  copy.connection!.pause();
  let generation = 1;
  // Far more than queue and socket buffers hold.
  for (; generation <= 24; generation += 1) {
    assert.ok(rig.hub.setCopySettings(SOURCE.uid, SHOP.uid, { ...large, generation }));
  }
  copy.connection!.resume();
  await until('the last are there', () => copy.configs().some((config) => config['generation'] === 24));
  assert.ok(copy.configs().length < 24);
});

test('connections beyond the limit are asked to come again', async (t) => {
  const rig = await HubRig.leading(t, { hub: { connectionsMax: 1 } });
  await rig.copyIn(SOURCE);
  rig.pods.atLoopback = SECOND;
  const second = rig.connect(await rig.join());
  await until('it is refused', () => second.downs.length > 0);
  assert.equal(second.downs[0]!.reason.refusal, 'tooManyConnections');
  assert.equal(second.downs[0]!.willRetry, true);
});

test('metrics are labelled with namespace and name of the TrafficCopy', async (t) => {
  const rig = await HubRig.leading(t, { hub: { now: () => Date.now() + 1000 } });
  const registry = new Registry();
  rig.hub.addMetrics(registry);
  const copy = await rig.copyIn(SOURCE);
  copy.report({ turnsCaptured: 9, turnsDelivered: 6, turnsLost: { noResponse: 3 } });
  await until('it is read', () => rig.hub.counters.reports === 1);
  const text = await registry.metrics();
  assert.match(text, /^trafficcopy_turns_delivered_total\{namespace="shop",trafficcopy="checkout"\} 6$/m);
  assert.match(
    text,
    /^trafficcopy_turns_lost_total\{namespace="shop",trafficcopy="checkout",reason="noResponse"\} 3$/m,
  );
  assert.match(text, /^trafficcopy_hub_copies_connected 1$/m);
  assert.match(text, /^trafficcopy_hub_joins_total 1$/m);
});
