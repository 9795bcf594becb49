import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { inNamespace, rulesetGeneration } from '../lib/index.js';
import { skipWithoutRoot, TestNetwork } from './kit/test-network.js';

describe('rulesetGeneration', { skip: skipWithoutRoot }, () => {
  let network: TestNetwork;
  const generation = (): number => inNamespace(network.a.netnsPath, () => rulesetGeneration())!;
  const change = (command: string, ...args: string[]): void => {
    inNamespace(network.a.netnsPath, () => execFileSync(command, args));
  };

  before(() => {
    network = new TestNetwork();
  });

  after(() => network.close());

  it('stays while nothing changes, whoever looks, and is another one after each change', () => {
    const seen = [generation()];
    const changed = (): void => {
      const now = generation();
      assert.equal(typeof now, 'number');
      assert.ok(!seen.includes(now), `${now} was there: ${seen}`);
      seen.push(now);
    };
    change('iptables-nft-save');
    assert.equal(generation(), seen[0]);
    for (const args of [
      ['-t', 'mangle', '-I', 'OUTPUT', '-j', 'ACCEPT'],
      ['-t', 'mangle', '-I', 'OUTPUT', '-j', 'RETURN'],
      ['-t', 'mangle', '-D', 'OUTPUT', '-j', 'ACCEPT'],
      ['-t', 'mangle', '-F'],
    ]) {
      change('iptables-nft', ...args);
      changed();
    }
    change('ip6tables-nft', '-t', 'raw', '-I', 'OUTPUT', '-j', 'ACCEPT');
    changed();
    change('nft', 'flush', 'ruleset');
    changed();
    change('iptables-nft-save');
    change('nft', 'list', 'ruleset');
    assert.equal(generation(), seen.at(-1));
  });

  it('is that of its namespace', () => {
    const other = (): number => inNamespace(network.b.netnsPath, () => rulesetGeneration())!;
    const found = other();
    change('iptables-nft', '-t', 'mangle', '-I', 'OUTPUT', '-j', 'ACCEPT');
    assert.equal(other(), found);
  });
});
