import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CopySettings, formatIpAddress, parseIpAddress } from '@trafficcopy/core';
import type { CopyPlan } from '../../src/copy-plan.js';
import { settingsPlan } from '../../src/operator/settings-plan.js';
import { copySettings, endpointSettings } from '../kit/copy-settings.js';

const OWN = ['127.0.0.1', '10.0.0.1', 'fd00::1'].map((text) => parseIpAddress(text)!);

/** When settings come. */
const RECEIVED_MS = 50_000;

function plan(settings: CopySettings): CopyPlan {
  const { plan: made, problems } = settingsPlan(settings, OWN, RECEIVED_MS);
  assert.deepEqual(problems, []);
  return made;
}

/** "4 80 candidate 10.0.0.2:8080@0", a line for each endpoint. */
function endpointsOf({ mappings }: CopyPlan): string[] {
  return mappings.flatMap(({ ipVersion, onlinePort, targets }) =>
    targets.flatMap(({ name, endpoints }) =>
      endpoints.map(
        ({ address, port, lane }) => `${ipVersion} ${onlinePort} ${name} ${formatIpAddress(address)}:${port}@${lane}`,
      ),
    ),
  );
}

test('each endpoint has a lane of its own that names it alone, also behind one intercept', () => {
  const made = plan(copySettings(['10.0.0.2', '10.0.0.3']));
  assert.deepEqual(endpointsOf(made), ['4 80 candidate 10.0.0.2:8080@0', '4 80 candidate 10.0.0.3:8080@1']);
  assert.deepEqual(made.lanes, [
    { host: '10.9.9.9', port: 36524, targets: [{ address: '10.0.0.2', port: 8080 }] },
    { host: '10.9.9.9', port: 36524, targets: [{ address: '10.0.0.3', port: 8080 }] },
  ]);
});

test('a token of its own is the lane’s', () => {
  const outside = { ...endpointSettings('10.0.0.2'), tokenVariable: 'TRAFFICCOPY_INTERCEPT_TOKEN_A' };
  const targets = [{ name: 'candidate', endpoints: [outside, endpointSettings('10.0.0.3')] }];
  const made = plan(copySettings([], { mappings: [{ onlinePort: 80, targets }] }));
  assert.deepEqual(
    made.lanes.map(({ tokenVariable }) => tokenVariable),
    ['TRAFFICCOPY_INTERCEPT_TOKEN_A', undefined],
  );
});

test('one endpoint for two ports or targets is one lane', () => {
  const targets = [{ name: 'candidate', endpoints: [endpointSettings('10.0.0.2')] }];
  const made = plan(copySettings([], { mappings: [80, 81].map((onlinePort) => ({ onlinePort, targets })) }));
  assert.deepEqual(endpointsOf(made), ['4 80 candidate 10.0.0.2:8080@0', '4 81 candidate 10.0.0.2:8080@0']);
  assert.equal(made.lanes.length, 1);
});

test('a mapping for each IP version of the endpoints; a target without any stays, for IPv4', () => {
  const made = plan(copySettings(['10.0.0.2', 'fd00::2']));
  assert.deepEqual(endpointsOf(made), ['4 80 candidate 10.0.0.2:8080@0', '6 80 candidate fd00::2:8080@1']);
  assert.deepEqual(
    plan(copySettings(['fd00::2'])).mappings.map(({ ipVersion }) => ipVersion),
    [6],
  );
  const [empty] = plan(copySettings([])).mappings;
  assert.deepEqual([empty?.ipVersion, empty?.targets], [4, [{ name: 'candidate', endpoints: [] }]]);
});

test('a pod that is its own target is left out, and told', () => {
  const { plan: made, problems } = settingsPlan(copySettings(['10.0.0.1', '10.0.0.2']), OWN, RECEIVED_MS);
  assert.deepEqual(endpointsOf(made), ['4 80 candidate 10.0.0.2:8080@0']);
  assert.match(problems[0]!, /target of itself \(10\.0\.0\.1\)/);
});

test('what stands twice counts once, and is told', () => {
  const target = { name: 'candidate', endpoints: ['10.0.0.2', '10.0.0.2'].map(endpointSettings) };
  const mapping = { onlinePort: 80, targets: [target, target] };
  const { plan: made, problems } = settingsPlan(copySettings([], { mappings: [mapping, mapping] }), OWN, RECEIVED_MS);
  assert.deepEqual(endpointsOf(made), ['4 80 candidate 10.0.0.2:8080@0']);
  assert.deepEqual(problems, [
    'port 80 has two targets with the name candidate: the first counts',
    'port 80 is mapped twice: the first counts',
  ]);
});

test('more endpoints than lanes: the first are used, and it is told', () => {
  const targets = [0, 1].map((target) => ({
    name: `t${target}`,
    endpoints: Array.from({ length: 200 }, (_, index) => endpointSettings(`10.1.${target}.${index}`)),
  }));
  const { plan: made, problems } = settingsPlan(
    copySettings([], { mappings: [{ onlinePort: 80, targets }] }),
    OWN,
    RECEIVED_MS,
  );
  assert.equal(made.lanes.length, 256);
  assert.equal(endpointsOf(made).length, 256);
  assert.match(problems[0]!, /^144 target pods are beyond the 256/);
});

test('client ranges: as given, with bits beyond the prefix cleared; on the loopback leg there are always some', () => {
  const rangesOf = (settings: CopySettings): string[] =>
    plan(settings).clientAddresses.map(({ address, prefixBits }) => `${formatIpAddress(address)}/${prefixBits}`);
  assert.deepEqual(rangesOf(copySettings([])), []);
  assert.deepEqual(rangesOf(copySettings([], { clientRanges: ['10.7.255.1/13'] })), ['10.0.0.0/13']);
  assert.deepEqual(rangesOf(copySettings([], { capture: 'loopback' })), ['198.18.0.0/15', '2001:2::/48']);
  assert.deepEqual(rangesOf(copySettings([], { capture: 'loopback', clientRanges: ['10.0.0.0/8'] })), [
    '10.0.0.0/8',
    '2001:2::/48',
  ]);
});

test('the rest is taken over', () => {
  const limits = { sessionsMax: 1, heldBytesMax: 2, bytesPerSecondMax: 3 };
  const sample = { fraction: 0.25, by: 'client', seed: 7 } as const;
  const made = plan(copySettings([], { state: 'suspended', copies: 3, sample, limits, capture: 'loopback' }));
  const { isSuspended, copies, bytesPerSecondMax, leg, interfaces, filter } = made;
  assert.deepEqual([isSuspended, copies, bytesPerSecondMax, leg], [true, 3, 3, 'loopback']);
  assert.deepEqual([made.sample, interfaces, filter], [sample, [], undefined]);
});

test('a ramp has passed as far as the clock of the operator says, whatever the own clock shows', () => {
  const ramp = { durationMs: 600_000, beganAtMs: 1_772_366_400_000 };
  const rampOf = (change: Partial<CopySettings>): CopyPlan['ramp'] => plan(copySettings([], change)).ramp;
  assert.deepEqual(rampOf({ ramp, sentAtMs: ramp.beganAtMs + 20_000 }), { durationMs: 600_000, beganMs: 30_000 });
  // Another operator leads now, whose clock is behind.
  assert.deepEqual(rampOf({ ramp, sentAtMs: ramp.beganAtMs - 5 }), { durationMs: 600_000, beganMs: RECEIVED_MS });
  assert.deepEqual(rampOf({ ramp: { durationMs: 1000 } }), { durationMs: 1000 });
  assert.equal(rampOf({}), undefined);
});

test('limits of CPU and memory are the safety budget', () => {
  const limits = { sessionsMax: 1, heldBytesMax: 2, bytesPerSecondMax: 0 };
  assert.deepEqual(plan(copySettings([], { limits })).budget, { cpuPercentMax: 0, memoryBytesMax: 0 });
  const made = plan(copySettings([], { limits: { ...limits, cpuPercentMax: 25, processBytesMax: 1 << 28 } }));
  assert.deepEqual(made.budget, { cpuPercentMax: 25, memoryBytesMax: 1 << 28 });
});

test('answers of targets are looked into where somebody logs in, and nowhere else', () => {
  const mapping = (onlinePort: number, ...endpoints: string[]) => ({
    onlinePort,
    targets: [{ name: 'candidate', endpoints: endpoints.map(endpointSettings) }],
  });
  const settings = copySettings([], { mappings: [mapping(80, '10.0.0.2', '10.0.0.3'), mapping(6379, '10.0.0.3')] });
  const login = { protocol: 'redis', credentials: [] } as const;
  const logins = [6379, 5432].map((port) => ({ ...login, port }));
  const { plan: made } = settingsPlan(settings, OWN, RECEIVED_MS, logins);
  assert.deepEqual(made.logins, [{ ...login, port: 6379 }], 'a port that is not copied is left out');
  assert.deepEqual(
    made.lanes.map(({ responsePayloadBytes }) => responsePayloadBytes),
    [undefined, 2048],
    'one lane for both ports of the endpoint',
  );
});
