import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CopySettings } from '@trafficcopy/core';
import { ManagedCopy } from '../../src/operator/managed-copy.js';
import { OutsideCredentials } from '../../src/operator/outside-credentials.js';
import { copySettings } from '../kit/copy-settings.js';
import { COPY_CONFIG, CopySurroundings } from '../kit/copy-surroundings.js';

const CREDENTIALS = { key: 'k', certificate: 'c', authority: 'a' };

class ManagedSurroundings extends CopySurroundings {
  readonly copy = new ManagedCopy({
    basis: COPY_CONFIG,
    edges: this,
    logger: this.logger,
    seed: 1,
    localNetwork: () => ({ addresses: this.addresses, wires: ['eth0'] }),
    credentials: () => CREDENTIALS,
    outside: new OutsideCredentials({ tokens: {}, name: 'shop/checkout-0' }),
  });

  /** The calls that this brings, filters aside. */
  apply(settings: CopySettings): string[] {
    this.calls.length = 0;
    this.copy.apply(settings);
    return this.calls.filter((call) => !call.startsWith('check') && !call.startsWith('filter'));
  }

  second(): void {
    this.clockMs += 1000;
    this.copy.tick();
  }
}

const limits = { sessionsMax: 32, heldBytesMax: 1 << 20, bytesPerSecondMax: 0 };

test('before the first settings: waiting, and nothing is opened', () => {
  const around = new ManagedSurroundings();
  around.second();
  const { state, generation, endpoints, problems } = around.copy.report();
  assert.deepEqual([state, generation, endpoints, problems], ['waiting', 0, [], []]);
  assert.deepEqual(around.calls, []);
});

test('the first settings open the copy; it copies from the first lane that is up', () => {
  const around = new ManagedSurroundings();
  assert.deepEqual(around.apply(copySettings(['10.0.0.2', '10.0.0.3'])), [
    'open source',
    'start channel',
    'start channel',
  ]);
  assert.deepEqual(around.interfaceNames, ['eth0']);
  assert.deepEqual(
    around.channels.map(({ hello }) => hello.targets),
    [[{ address: '10.0.0.2', port: 8080 }], [{ address: '10.0.0.3', port: 8080 }]],
  );
  assert.deepEqual([around.copy.report().state, around.copy.report().generation], ['waiting', 1]);
  around.channels[1]!.onUp(around.connection());
  const { state, endpoints } = around.copy.report();
  assert.equal(state, 'copying');
  assert.deepEqual(endpoints, [
    { endpoint: '10.0.0.2:8080', isUp: false },
    { endpoint: '10.0.0.3:8080', isUp: true },
  ]);
});

test('endpoints come and go: only their channels are opened and closed', () => {
  const around = new ManagedSurroundings();
  around.apply(copySettings(['10.0.0.2', '10.0.0.3']));
  for (const channel of around.channels) channel.onUp(around.connection());
  const calls = around.apply(copySettings(['10.0.0.3', '10.0.0.4'], { generation: 2 }));
  assert.deepEqual(calls, ['start channel', 'close channel']);
  assert.deepEqual(
    around.copy.report().endpoints.map(({ endpoint, isUp }) => `${endpoint} ${isUp}`),
    ['10.0.0.3:8080 true', '10.0.0.4:8080 false'],
  );
  assert.deepEqual(around.apply(copySettings(['10.0.0.3', '10.0.0.4'], { generation: 3 })), []);
  assert.equal(around.copy.report().generation, 3);
});

test('a pod that moves to another intercept is reached there', () => {
  const around = new ManagedSurroundings();
  around.apply(copySettings(['10.0.0.2@10.9.9.1']));
  assert.deepEqual(around.apply(copySettings(['10.0.0.2@10.9.9.2'])), ['start channel', 'close channel']);
  assert.equal(around.channels[1]!.host, '10.9.9.2');
});

test('ports come and go: the capture follows', () => {
  const around = new ManagedSurroundings();
  around.apply(copySettings(['10.0.0.2']));
  const { mappings } = copySettings(['10.0.0.2']);
  around.apply(copySettings([], { mappings: [{ ...mappings[0]!, onlinePort: 8443 }] }));
  assert.match(around.calls.find((call) => call.startsWith('filter'))!, /tcp dst port 8443/);
});

test('the other leg is captured on another device', () => {
  const around = new ManagedSurroundings();
  around.apply(copySettings(['10.0.0.2']));
  assert.deepEqual(around.apply(copySettings(['10.0.0.2'], { capture: 'loopback' })), ['open source', 'close source']);
  assert.deepEqual(around.interfaceNames, ['eth0', 'lo']);
});

test('suspended: it says so', () => {
  const around = new ManagedSurroundings();
  around.apply(copySettings(['10.0.0.2']));
  around.channels[0]!.onUp(around.connection());
  around.apply(copySettings(['10.0.0.2'], { state: 'suspended' }));
  assert.equal(around.copy.report().state, 'suspended');
  around.apply(copySettings(['10.0.0.2']));
  assert.equal(around.copy.report().state, 'copying');
});

test('what cannot be opened is told and tried again, and the copy goes on living', () => {
  const around = new ManagedSurroundings();
  around.sourceError = new Error('needs CAP_NET_RAW');
  around.apply(copySettings(['10.0.0.2'], { generation: 7 }));
  assert.deepEqual([around.copy.report().generation, around.copy.report().problems], [0, ['needs CAP_NET_RAW']]);
  around.sourceError = undefined;
  for (let seconds = 0; seconds < 4; seconds += 1) around.second();
  assert.equal(around.copy.report().generation, 0);
  around.second();
  assert.deepEqual([around.copy.report().generation, around.copy.report().problems], [7, []]);
});

test('a change that fails leaves what is copied as it is', () => {
  const around = new ManagedSurroundings();
  around.apply(copySettings(['10.0.0.2']));
  around.channels[0]!.onUp(around.connection());
  around.sourceError = new Error('no memory for a capture buffer');
  const calls = around.apply(copySettings(['10.0.0.3'], { capture: 'loopback', generation: 2 }));
  assert.deepEqual(calls, ['start channel', 'close channel']);
  const { state, generation, endpoints, problems } = around.copy.report();
  assert.deepEqual([state, generation], ['copying', 1]);
  assert.deepEqual(endpoints, [{ endpoint: '10.0.0.2:8080', isUp: true }]);
  assert.deepEqual(problems, ['no memory for a capture buffer']);
});

test('a channel that does not come up is told with its reason', () => {
  const around = new ManagedSurroundings();
  around.apply(copySettings(['10.0.0.2']));
  assert.deepEqual(around.copy.report().problems, []);
  around.channels[0]!.onDown(new Error('is a firewall between?'), true);
  assert.deepEqual(around.copy.report().problems, ['no way to target 10.0.0.2:8080: is a firewall between?']);
  around.channels[0]!.onUp(around.connection());
  assert.deepEqual(around.copy.report().problems, []);
});

test('what an intercept refuses for good is tried again', () => {
  const around = new ManagedSurroundings();
  around.apply(copySettings(['10.0.0.2']));
  assert.equal(around.channels[0]!.retriesRefusals, true);
  assert.equal(around.channels[0]!.isRenewedElsewhere, true);
});

test('limits and delivery of a running copy stay, which is told until they are as before', () => {
  const around = new ManagedSurroundings();
  around.apply(copySettings(['10.0.0.2']));
  around.apply(copySettings(['10.0.0.2'], { delivery: 'direct', limits: { ...limits, sessionsMax: 64 } }));
  assert.deepEqual(around.copy.report().problems, [
    'the change of delivery applies to copies started from now on',
    'the change of limits.sessions applies to copies started from now on',
  ]);
  around.apply(copySettings(['10.0.0.2']));
  assert.deepEqual(around.copy.report().problems, []);
});

const RAMP_MS = 100_000;
const ramp = { durationMs: RAMP_MS, beganAtMs: 1_000_000 };

/** How far the ramp is, in percent. */
function rampPercent(around: ManagedSurroundings): number {
  return Math.round(around.copy.figures().ramp * 100);
}

test('a ramp begins with the copying, and is where the TrafficCopy’s is once the operator has said so', () => {
  const around = new ManagedSurroundings();
  around.apply(copySettings(['10.0.0.2'], { ramp: { durationMs: RAMP_MS } }));
  around.second();
  assert.equal(rampPercent(around), 0, 'there is no channel yet');
  around.channels[0]!.onUp(around.connection());
  for (let seconds = 0; seconds < 10; seconds += 1) around.second();
  assert.equal(rampPercent(around), 10);
  around.apply(copySettings(['10.0.0.2'], { ramp, sentAtMs: ramp.beganAtMs + 50_000 }));
  assert.equal(rampPercent(around), 50);
  around.second();
  assert.equal(rampPercent(around), 51);
  around.apply(
    copySettings(['10.0.0.2'], { ramp: { ...ramp, durationMs: 60_000 }, sentAtMs: ramp.beganAtMs + 51_000 }),
  );
  assert.equal(rampPercent(around), 85);
  for (let seconds = 0; seconds < 10; seconds += 1) around.second();
  assert.deepEqual(
    [rampPercent(around), around.logged.filter((line) => line.includes('ramp is over')).length],
    [100, 1],
  );
});

test('a new pod’s copy begins where the others are', () => {
  const around = new ManagedSurroundings();
  around.apply(copySettings(['10.0.0.2'], { ramp, sentAtMs: ramp.beganAtMs + 50_000 }));
  around.second();
  around.channels[0]!.onUp(around.connection());
  assert.equal(rampPercent(around), 51);
});

test('settings that are tried again are as old as they are', () => {
  const around = new ManagedSurroundings();
  around.sourceError = new Error('needs CAP_NET_RAW');
  around.apply(copySettings(['10.0.0.2'], { ramp, sentAtMs: ramp.beganAtMs }));
  around.sourceError = undefined;
  for (let seconds = 0; seconds < 5; seconds += 1) around.second();
  around.channels.at(-1)!.onUp(around.connection());
  assert.equal(rampPercent(around), 5);
});

test('a ramp begins anew when copying goes on', () => {
  const around = new ManagedSurroundings();
  around.apply(copySettings(['10.0.0.2'], { ramp: { durationMs: RAMP_MS } }));
  around.channels[0]!.onUp(around.connection());
  for (let seconds = 0; seconds < 50; seconds += 1) around.second();
  around.apply(copySettings(['10.0.0.2'], { ramp: { durationMs: RAMP_MS }, state: 'suspended' }));
  around.second();
  around.apply(copySettings(['10.0.0.2'], { ramp: { durationMs: RAMP_MS } }));
  assert.equal(rampPercent(around), 0);
  around.apply(copySettings(['10.0.0.2']));
  assert.equal(rampPercent(around), 100, 'the ramp was taken away');
});

test('a CPU limit holds from when it comes, names its field, and is gone with it', () => {
  const around = new ManagedSurroundings();
  const spend = (cpuPercent: number): void => {
    around.cpuUs += cpuPercent * 10_000;
    around.second();
  };
  around.apply(copySettings(['10.0.0.2']));
  around.channels[0]!.onUp(around.connection());
  spend(20);
  spend(20);
  assert.deepEqual(around.copy.report().problems, []);
  around.apply(copySettings(['10.0.0.2'], { limits: { ...limits, cpuPercentMax: 10 } }));
  spend(20);
  spend(20);
  assert.deepEqual(around.copy.report().problems, [
    'the safety budget (spec.limits.cpu) is used up: 45 % of connections are copied',
  ]);
  around.apply(copySettings(['10.0.0.2']));
  assert.deepEqual(around.copy.report().problems, []);
});

/** Of the channel that was opened last. */
function capabilities({ channels }: ManagedSurroundings): string[] {
  return channels.at(-1)!.hello.capabilities.filter((name) => name.startsWith('payload:'));
}

const REDIS = '- {protocol: redis, port: 80, users: [{password: hunter2}]}';

test('credentials that come while it copies: the intercept is asked for payload by a new channel', () => {
  const around = new ManagedSurroundings();
  around.apply(copySettings(['10.0.0.2']));
  around.channels[0]!.onUp(around.connection());
  assert.deepEqual(capabilities(around), []);
  assert.deepEqual(around.apply(copySettings(['10.0.0.2'], { credentials: REDIS })), [
    'start channel',
    'close channel',
  ]);
  assert.deepEqual(capabilities(around), ['payload:2048']);
  const other = REDIS.replace('hunter2', 'hunter3');
  assert.deepEqual(around.apply(copySettings(['10.0.0.2'], { credentials: other })), [], 'sessions go on');
  assert.deepEqual(around.apply(copySettings(['10.0.0.2'])), ['start channel', 'close channel']);
  assert.deepEqual(capabilities(around), []);
});

test('credentials that cannot be read: nothing is copied, which is told without a word of them', () => {
  const around = new ManagedSurroundings();
  around.apply(copySettings(['10.0.0.2'], { credentials: 'hunter2: [' }));
  around.channels[0]!.onUp(around.connection());
  assert.equal(around.copy.report().state, 'suspended');
  assert.match(
    around.copy.report().problems.join(),
    /spec\.credentialsSecret cannot be read \(line 1\): nothing is copied/,
  );
  around.apply(copySettings(['10.0.0.2'], { credentials: REDIS }));
  around.channels.at(-1)!.onUp(around.connection(['payload']));
  assert.deepEqual([around.copy.report().state, around.copy.report().problems], ['copying', []]);
  assert.doesNotMatch(JSON.stringify([around.logged, around.copy.report()]), /hunter/);
});

test('renewed credentials are shown to the intercepts from then on', async () => {
  const around = new ManagedSurroundings();
  around.copy.setCredentials(CREDENTIALS);
  around.apply(copySettings(['10.0.0.2', '10.0.0.3']));
  assert.equal(await around.channels[0]!.credentials(), CREDENTIALS);
  around.calls.length = 0;
  around.copy.setCredentials(CREDENTIALS);
  assert.deepEqual(around.calls, ['new credentials', 'new credentials']);
});

test('the end closes everything; the last report has the last figures', async () => {
  const around = new ManagedSurroundings();
  around.apply(copySettings(['10.0.0.2']));
  around.channels[0]!.onUp(around.connection());
  around.clockMs += 500;
  around.calls.length = 0;
  const report = await around.copy.close();
  assert.deepEqual([report.state, report.elapsedMs, report.turnsPending], ['waiting', 500, 0]);
  assert.deepEqual(around.calls, ['stop', 'close source', 'close channel']);
});
