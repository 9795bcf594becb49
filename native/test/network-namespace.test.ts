import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { inNamespace } from '../lib/index.js';
import { skipWithoutRoot, TestNetwork } from './kit/test-network.js';

const SETTING = '/proc/sys/net/ipv4/ip_default_ttl';

describe('inNamespace', { skip: skipWithoutRoot }, () => {
  let network: TestNetwork;
  const own = (): string => readFileSync('/proc/thread-self/net/dev', 'utf8').replaceAll(/\d+/g, '0');

  before(() => {
    network = new TestNetwork();
  });

  after(() => network.close());

  it('files below /proc/sys/net and processes are those of the namespace, and afterwards those of the own one', () => {
    const ttl = readFileSync(SETTING, 'utf8');
    const found = own();
    const { netnsPath } = network.a;
    inNamespace(netnsPath, () => writeFileSync(SETTING, '99'));
    assert.equal(
      inNamespace(netnsPath, () => readFileSync(SETTING, 'utf8')),
      '99\n',
    );
    const addresses = inNamespace(netnsPath, () => execFileSync('ip', ['-o', 'address', 'show'], { encoding: 'utf8' }));
    assert.match(addresses, new RegExp(network.a.ipv4.replaceAll('.', '\\.')));
    assert.equal(readFileSync(SETTING, 'utf8'), ttl);
    assert.equal(own(), found);
  });

  it('what the work throws comes out, and the thread is back', () => {
    const found = own();
    assert.throws(
      () =>
        inNamespace(network.a.netnsPath, () => {
          throw new RangeError('of the work');
        }),
      { name: 'RangeError', message: 'of the work' },
    );
    assert.equal(own(), found);
  });

  it('what is no namespace is refused, and nothing is done', () => {
    let isDone = false;
    const work = (): void => {
      isDone = true;
    };
    assert.throws(() => inNamespace('/nowhere', work), { code: 'ERR_NATIVE_NETNS' });
    assert.throws(() => inNamespace('/etc/hostname', work), { code: 'ERR_NATIVE_NETNS' });
    assert.equal(isDone, false);
  });
});
