import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type CopySettings, encodeUtf8, FRAME } from '@trafficcopy/core';
import { CertificateAuthority, type ClientCredentials, createAuthority, ownIdentity } from '@trafficcopy/runtime';
import { emptyReport } from '../../src/operator/copy-report.js';
import { OperatorLink, type OperatorLinkOptions } from '../../src/operator/operator-link.js';
import { copySettings } from '../kit/copy-settings.js';
import { CopySurroundings } from '../kit/copy-surroundings.js';
import { OperatorStandIn } from '../kit/operator-stand-in.js';

const DEADLINE_MS = 20_000;

async function until(what: string, holds: () => boolean): Promise<void> {
  const endMs = Date.now() + DEADLINE_MS;
  while (!holds()) {
    assert.ok(Date.now() < endMs, `in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function newAuthority(certificateLifetimeMs?: number): Promise<CertificateAuthority> {
  return new CertificateAuthority(await createAuthority(), { certificateLifetimeMs });
}

async function operator(
  context: TestContext,
  options: { authority?: CertificateAuthority; port?: number; token?: string } = {},
): Promise<OperatorStandIn> {
  const { authority = await newAuthority(), port = 0, token } = options;
  const standIn = await OperatorStandIn.start({ authority, address: '127.0.0.1', port, token });
  context.after(() => standIn.close());
  return standIn;
}

class LinkRig {
  readonly settings: CopySettings[] = [];
  readonly stops: string[] = [];
  readonly credentials: ClientCredentials[] = [];
  readonly around = new CopySurroundings();
  readonly link: OperatorLink;

  constructor(context: TestContext, standIn: OperatorStandIn, options: Partial<OperatorLinkOptions> = {}) {
    this.link = new OperatorLink({
      operator: { host: '127.0.0.1', port: standIn.port },
      token: standIn.token,
      name: 'shop/online-1',
      instance: 0xabc,
      logger: this.around.logger,
      nowMs: () => performance.now(),
      onSettings: (settings) => this.settings.push(settings),
      onStop: (message) => this.stops.push(message),
      onCredentials: (credentials) => this.credentials.push(credentials),
      retryDelayMs: () => 5,
      refusedMsMax: 200,
      ...options,
    });
    context.after(() => this.link.close());
    this.link.start();
  }
}

function report(generation: number) {
  return emptyReport({ generation, state: 'waiting', problems: [] });
}

test('joins with the token, hears settings, reports; its certificate is a copy of that TrafficCopy', async (context) => {
  const standIn = await operator(context);
  const rig = new LinkRig(context, standIn);
  await until('up', () => rig.link.isUp && standIn.connections.size === 1);
  const [connection] = standIn.connections;
  assert.deepEqual([connection!.peer.name, connection!.peer.capabilities], ['shop/online-1', ['instance:abc']]);
  assert.deepEqual(
    [ownIdentity(rig.credentials[0]!).role, ownIdentity(rig.credentials[0]!).name],
    ['copy', 'shop/7d3c/online-1'],
  );
  const settings = copySettings(['10.0.0.2'], { generation: 4 });
  standIn.configure(settings);
  await until('settings', () => rig.settings.length === 1);
  assert.deepEqual(rig.settings[0], settings);
  rig.link.report(report(4));
  await until('report', () => standIn.reports.length === 1);
  assert.equal(standIn.reports[0]!.generation, 4);
});

test('settings that cannot be read change nothing', async (context) => {
  const standIn = await operator(context);
  const rig = new LinkRig(context, standIn);
  await until('up', () => standIn.connections.size === 1);
  standIn.sendRaw(FRAME.CONFIG, encodeUtf8('{"kind":"copy","generation":-1}'));
  standIn.configure(copySettings([]));
  await until('settings', () => rig.settings.length === 1);
  assert.ok(rig.around.logged.some((line) => line.includes('cannot be read')));
});

test('STOP is told once; a last report still goes out', async (context) => {
  const standIn = await operator(context);
  const rig = new LinkRig(context, standIn);
  await until('up', () => standIn.connections.size === 1);
  standIn.stopCopies('the TrafficCopy was deleted');
  standIn.stopCopies('again');
  await until('stop', () => rig.stops.length > 0);
  standIn.configure(copySettings([]));
  rig.link.report(report(9));
  await rig.link.close();
  await until('report', () => standIn.reports.length === 1);
  assert.deepEqual([rig.stops, rig.settings], [['the TrafficCopy was deleted'], []]);
});

test('the operator goes and comes back: nothing ends, and the settings come again', async (context) => {
  const authority = await newAuthority();
  const first = await operator(context, { authority });
  const rig = new LinkRig(context, first);
  await until('up', () => rig.link.isUp);
  const { port, token } = first;
  await first.close();
  await until('down', () => !rig.link.isUp);
  rig.link.report(report(1));
  const second = await operator(context, { authority, port, token });
  second.configure(copySettings([]));
  await until('settings', () => rig.settings.length === 1);
  assert.equal(second.joins, 0, 'the certificate is still good');
  assert.deepEqual(rig.stops, []);
  assert.ok(rig.around.logged.some((line) => line.includes('copying goes on as it is')));
});

test('a follower sends the copy to the leader', async (context) => {
  const authority = await newAuthority();
  const leader = await operator(context, { authority });
  const follower = await operator(context, { authority, token: leader.token });
  follower.leader = { host: '127.0.0.1', port: leader.port };
  leader.configure(copySettings([]));
  const rig = new LinkRig(context, follower);
  await until('settings', () => rig.settings.length === 1);
  assert.deepEqual([follower.joins, leader.joins], [1, 0]);
  assert.deepEqual(
    rig.around.logged.filter((line) => line.startsWith('no channel')),
    [],
  );
});

test('a token that nobody knows: the copy ends after a while, not at once', async (context) => {
  const standIn = await operator(context);
  standIn.refusal = 'tokenUnknown';
  const rig = new LinkRig(context, standIn);
  await until('stop', () => rig.stops.length > 0);
  assert.ok(standIn.joins > 2);
  assert.match(rig.stops[0]!, /does not know this copy any more.*tokenUnknown/);
});

test('a TrafficCopy that is gone: the copy ends at once', async (context) => {
  const standIn = await operator(context);
  standIn.refusal = 'gone';
  const rig = new LinkRig(context, standIn, { refusedMsMax: DEADLINE_MS * 100 });
  await until('stop', () => rig.stops.length > 0);
  assert.equal(standIn.joins, 1);
  assert.match(rig.stops[0]!, /gone/);
});

test('a TrafficCopy that the operator hears of late: the copy waits for it', async (context) => {
  const standIn = await operator(context);
  standIn.refusal = 'forbidden';
  const rig = new LinkRig(context, standIn, { refusedMsMax: DEADLINE_MS });
  await until('refused', () => standIn.joins > 2);
  standIn.refusal = undefined;
  await until('up', () => rig.link.isUp);
  assert.deepEqual(rig.stops, []);
});

test('an operator that cannot say now who we are ends nothing', async (context) => {
  const standIn = await operator(context);
  standIn.refusal = 'unavailable';
  const rig = new LinkRig(context, standIn, { refusedMsMax: 0 });
  await until('refused', () => standIn.joins > 5);
  assert.deepEqual(rig.stops, []);
});

test('a certificate that is refused after an absence: joins anew, and ends when that is refused for a while', async (context) => {
  const authority = await newAuthority();
  const first = await operator(context, { authority });
  const rig = new LinkRig(context, first);
  await until('up', () => rig.link.isUp);
  const { port, token } = first;
  await first.close();
  const second = await operator(context, { authority, port, token });
  second.refusal = 'forbidden';
  await until('stop', () => rig.stops.length > 0);
  assert.ok(second.joins > 0);
});

test('another authority than the token pins: its server is told nothing, and the copy ends after a while', async (context) => {
  const standIn = await operator(context);
  const other = await operator(context);
  const rig = new LinkRig(context, standIn, { token: other.token });
  await until('stop', () => rig.stops.length > 0);
  assert.equal(standIn.joins, 0);
});

test('certificates are renewed over the channel and handed on', async (context) => {
  // At half of its life, clock skew included, a certificate is renewed: at once.
  const standIn = await operator(context, { authority: await newAuthority(60_000) });
  const rig = new LinkRig(context, standIn);
  await until('renewed', () => rig.credentials.length > 1);
  assert.notEqual(rig.credentials[1]!.certificate, rig.credentials[0]!.certificate);
  assert.equal(rig.credentials[1]!.key, rig.credentials[0]!.key);
});
