import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type MappingConfig, parseIpAddress } from '@trafficcopy/core';
import { UsageError } from '@trafficcopy/runtime';
import { type CapturePlanConfig, capturePlan } from '../../src/capture/capture-plan.js';

const address = (text: string) => parseIpAddress(text)!;

function mapping(onlineAddress: string | undefined, target: string): MappingConfig {
  return {
    onlineAddress: onlineAddress === undefined ? undefined : address(onlineAddress),
    onlinePort: 80,
    targets: [{ lane: 0, address: address(target), port: 8080, name: `${target} port 8080` }],
  };
}

function config(overrides: Partial<CapturePlanConfig>): CapturePlanConfig {
  return { mappings: [], clientAddresses: [], interfaces: [], filter: undefined, ...overrides };
}

test('no device named: one source on all of them', () => {
  const plan = capturePlan(config({ mappings: [mapping(undefined, '10.0.0.2')] }), [address('10.0.0.1')]);
  assert.deepEqual(plan.interfaceNames, ['']);
  assert.deepEqual(plan.notes, []);
});

test('devices are captured on once each', () => {
  const plan = capturePlan(
    config({ mappings: [mapping('10.0.0.1', '10.0.0.2')], interfaces: ['eth0', 'lo', 'eth0'] }),
    [],
  );
  assert.deepEqual(plan.interfaceNames, ['eth0', 'lo']);
  assert.match(plan.notes[0]!, /127\.0\.0\.1.*-c/);
});

for (const loopback of ['127.0.0.1', '127.0.53.1', '::1']) {
  test(`an online address ${loopback} without -c is refused, since no target could answer its clients`, () => {
    const target = loopback.includes(':') ? '2001:db8::2' : '10.0.0.2';
    const mappings = [mapping(loopback, target)];
    assert.throws(() => capturePlan(config({ mappings }), []), UsageError);
    const clientAddresses = [address('10.0.0.77')];
    assert.match(capturePlan(config({ mappings, clientAddresses }), []).filter, new RegExp(`dst host ${loopback}`));
  });
}

test('more addresses than a filter can name are told', () => {
  const own = Array.from({ length: 100 }, (_, index) => address(`10.1.0.${index}`));
  assert.match(capturePlan(config({ mappings: [mapping(undefined, '10.0.0.2')] }), own).notes[0]!, /100 addresses/);
  assert.deepEqual(capturePlan(config({ mappings: [mapping('10.1.0.1', '10.0.0.2')] }), own).notes, []);
});
