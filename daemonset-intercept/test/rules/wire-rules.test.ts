import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIpAddress } from '@trafficcopy/core';
import type { AddressRange } from '@trafficcopy/runtime';
import { mangleRules, type OwnRule, rawRules } from '../../src/rules/own-rules.js';
import { type WireTraffic, wireRuleCount } from '../../src/rules/wire-rules.js';
import { workerSlot } from '../../src/rules/worker-slot.js';

function range(text: string): AddressRange {
  const [address = '', bits = '32'] = text.split('/');
  return { address: parseIpAddress(address)!, prefixBits: Number(bits) };
}

const WIRE: WireTraffic = {
  targets: [{ address: parseIpAddress('10.16.12.11')!, port: 8080 }],
  clients: [range('0.0.0.0/0')],
  passed: [range('10.2.0.0/16')],
};
const SLOT = workerSlot(3);

function rules(make: typeof mangleRules, family: 4 | 6 = 4, wire: WireTraffic | undefined = WIRE): OwnRule[] {
  return make({ family, instance: 'x', slot: SLOT, matchExperimentId: true, wire });
}

describe('rules for what C tcpcopies copy', () => {
  it('mark it where it arrives, then unmark whom the target serves, before all rules of ours', () => {
    const specs = rules(mangleRules).map(({ chain, spec }) => `${chain} ${spec}`);
    assert.match(
      specs[0]!,
      /^PREROUTING -s 0\.0\.0\.0\/0 -d 10\.16\.12\.11\/32 -p tcp -m tcp --dport 8080 .*--set-mark 0x8ed3$/,
    );
    const unmarked = specs.slice(1, 4).map((spec) => /-s (\S+) .*--mark 0x8ed3 .*--set-mark 0x0$/.exec(spec)?.[1]);
    assert.deepEqual(unmarked, ['10.2.0.0/16', '10.16.12.11/32', '127.0.0.0/8']);
    assert.equal(specs.length, rules(mangleRules, 4, { ...WIRE, clients: [], targets: [], passed: [] }).length + 3);
    assert.ok(specs.every((spec) => spec.includes('"trafficcopy:x"')));
  });

  it('leave packets alone that are injected by any intercept here', () => {
    assert.match(rules(mangleRules)[0]!.spec, /-m mark ! --mark 0x18ed0\/0xfffffff0 /);
  });

  it('keep it away from connection tracking, after it is marked', () => {
    const specs = rules(rawRules)
      .filter(({ chain }) => chain === 'PREROUTING')
      .map(({ spec }) => spec);
    const tracked = specs.findIndex((spec) => /--mark 0x8ed3 .*-j CT --notrack$/.test(spec));
    assert.equal(tracked, 4, specs.join('\n'));
  });

  it('are of IPv4, as the C programs are, and none without them', () => {
    const without = rules(mangleRules, 6, undefined);
    assert.equal(rules(mangleRules, 6).length, without.length);
    assert.equal(mangleRules({ family: 4, instance: 'x', slot: SLOT, matchExperimentId: true }).length, 3);
  });

  it('are counted before they are made', () => {
    const clients = [range('10.1.0.0/16'), range('10.2.0.0/16')];
    const targets = [...WIRE.targets, { address: parseIpAddress('10.16.12.12')!, port: 81 }];
    const wire = { ...WIRE, clients, targets };
    const extra = rules(mangleRules, 4, wire).length - 3;
    assert.equal(extra, wireRuleCount(wire));
  });
});
