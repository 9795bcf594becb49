import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type IpAddress, type MappingConfig, parseIpAddress } from '@trafficcopy/core';
import { UsageError } from '@trafficcopy/runtime';
import { type CapturePlanInput, capturePlan } from '../../src/capture/capture-plan.js';
import type { LocalNetwork } from '../../src/capture/local-network.js';

const address = (text: string) => parseIpAddress(text)!;

function mapping(onlineAddress: string | undefined, target: string): MappingConfig {
  return {
    onlineAddress: onlineAddress === undefined ? undefined : address(onlineAddress),
    onlinePort: 80,
    ipVersion: target.includes(':') ? 6 : 4,
    targets: [{ name: `${target} port 8080`, endpoints: [{ lane: 0, address: address(target), port: 8080 }] }],
  };
}

function input(overrides: Partial<CapturePlanInput>): CapturePlanInput {
  return { mappings: [], clientAddresses: [], leg: 'host', interfaces: [], filter: undefined, ...overrides };
}

function local(addresses: readonly IpAddress[] = [], wires: readonly string[] = ['eth0']): LocalNetwork {
  return { addresses, wires };
}

test('no device named: one source on all of them', () => {
  const plan = capturePlan(input({ mappings: [mapping(undefined, '10.0.0.2')] }), local([address('10.0.0.1')]));
  assert.deepEqual(plan.interfaceNames, ['']);
  assert.deepEqual(plan.notes, []);
});

test('devices are captured on once each', () => {
  const plan = capturePlan(
    input({ mappings: [mapping('10.0.0.1', '10.0.0.2')], interfaces: ['eth0', 'lo', 'eth0'] }),
    local(),
  );
  assert.deepEqual(plan.interfaceNames, ['eth0', 'lo']);
  assert.match(plan.notes[0]!, /127\.0\.0\.1.*-c/);
});

for (const loopback of ['127.0.0.1', '127.0.53.1', '::1']) {
  test(`an online address ${loopback} without -c is refused, since no target could answer its clients`, () => {
    const target = loopback.includes(':') ? '2001:db8::2' : '10.0.0.2';
    const mappings = [mapping(loopback, target)];
    assert.throws(() => capturePlan(input({ mappings }), local()), UsageError);
    const clientAddresses = [{ address: address('10.0.0.77'), prefixBits: 32 }];
    assert.match(capturePlan(input({ mappings, clientAddresses }), local()).filter, new RegExp(`dst host ${loopback}`));
  });
}

test('more addresses than a filter can name are told', () => {
  const own = Array.from({ length: 100 }, (_, index) => address(`10.1.0.${index}`));
  assert.match(
    capturePlan(input({ mappings: [mapping(undefined, '10.0.0.2')] }), local(own)).notes[0]!,
    /100 addresses/,
  );
  assert.deepEqual(capturePlan(input({ mappings: [mapping('10.1.0.1', '10.0.0.2')] }), local(own)).notes, []);
});

test('wire: every device but the loopback, and no client of this pod', () => {
  const clientAddresses = [{ address: address('198.18.0.0'), prefixBits: 15 }];
  const plan = capturePlan(
    input({ mappings: [mapping(undefined, '10.0.0.2')], leg: 'wire', clientAddresses }),
    local([address('10.0.0.1'), address('127.0.0.1')], ['eth0', 'net1']),
  );
  assert.deepEqual(plan.interfaceNames, ['eth0', 'net1']);
  assert.match(plan.filter, /not src net 127\.0\.0\.0\/8/);
  assert.doesNotMatch(plan.filter, /10\.0\.0\.2/);
});

test('loopback: the loopback alone, and clients of this pod alone, so that no injected copy is copied again', () => {
  const clientAddresses = [{ address: address('198.18.0.0'), prefixBits: 15 }];
  const plan = capturePlan(
    input({ mappings: [mapping(undefined, '10.0.0.2')], leg: 'loopback', clientAddresses }),
    local([address('10.0.0.1'), address('127.0.0.1'), address('2001:db8::1')]),
  );
  assert.deepEqual(plan.interfaceNames, ['lo']);
  assert.match(plan.filter, /\(src net 127\.0\.0\.0\/8 or src host 10\.0\.0\.1\)/);
});

test('nothing to copy: nothing is captured', () => {
  assert.equal(capturePlan(input({ leg: 'wire' }), local()).filter, 'tcp and not tcp');
});

test('routers are listened to where packets are sent with an address of this host', () => {
  const own = local([address('10.0.0.1'), address('2001:db8::1')]);
  const filterWith = (text: string, prefixBits: number): string =>
    capturePlan(
      input({ mappings: [mapping('10.0.0.1', '10.0.0.2')], clientAddresses: [{ address: address(text), prefixBits }] }),
      own,
    ).filter;
  assert.match(filterWith('10.0.0.1', 32), /icmp/);
  assert.match(filterWith('10.0.0.0', 30), /icmp/);
  assert.match(filterWith('2001:db8::', 64), /icmp/);
  assert.doesNotMatch(filterWith('10.0.0.3', 32), /icmp/);
  assert.doesNotMatch(filterWith('10.0.0.4', 30), /icmp/);
  assert.doesNotMatch(filterWith('2001:db9::', 32), /icmp/);
});

test('UDP on all devices: each datagram once, not at ports of bonds and bridges; at named devices as it comes', () => {
  const network: LocalNetwork = { ...local([address('10.0.0.1')]), lowers: () => [4, 7] };
  const udp = input({ mappings: [mapping(undefined, '10.0.0.2')], udp: true });
  assert.deepEqual(capturePlan(udp, network).besides, [4, 7]);
  assert.match(capturePlan(udp, network).filter, /udp dst port 80/);
  assert.equal(capturePlan({ ...udp, interfaces: ['eth0'] }, network).besides, undefined);
  assert.equal(capturePlan({ ...udp, udp: false }, network).besides, undefined);
  assert.equal(capturePlan({ ...udp, leg: 'file' }, network).besides, undefined);
});
