import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatIpAddress } from '@trafficcopy/core';
import {
  addressRangeValue,
  choiceValue,
  durationValue,
  formatDuration,
  formatSocketAddress,
  integerValue,
  megabytesValue,
  percentValue,
  socketAddressValue,
  ValueProblem,
  type ValueType,
} from '../../src/index.js';

function refuses(type: ValueType<unknown>, texts: readonly string[]): void {
  for (const text of texts) assert.throws(() => type.parse(text), ValueProblem, `"${text}" must be refused`);
}

describe('values on the command line', () => {
  it('whole numbers are decimal and within their bounds', () => {
    const type = integerValue(1, 1023);
    assert.equal(type.parse('1'), 1);
    assert.equal(type.parse('1023'), 1023);
    refuses(type, ['0', '1024', '-1', '1.5', '0x10', '1e2', '', ' 1', '1 ', '99999999999999999999', 'NaN', 'Infinity']);
  });

  it('a percentage is above 0 and at most 100, fractions allowed', () => {
    assert.equal(percentValue.parse('100'), 100);
    assert.equal(percentValue.parse('0.5'), 0.5);
    assert.equal(percentValue.parse('.25'), 0.25);
    refuses(percentValue, ['0', '0.0', '100.1', '101', '-5', '5%', '', '1e1', '5.', 'abc']);
  });

  it('a time without unit is in seconds', () => {
    const type = durationValue(100, 7_200_000);
    assert.equal(type.parse('90'), 90_000);
    assert.equal(type.parse('0.5'), 500);
    assert.equal(type.parse('250ms'), 250);
    assert.equal(type.parse('2h'), 7_200_000);
    assert.equal(type.parse('1h30m'), 5_400_000);
    refuses(type, ['0', '99ms', '3h', '1h90m', '1w', '-1', '1h30', '', 'm', '1 m']);
  });

  it('what is given as an example of a time fits', () => {
    for (const [minMs, maxMs] of [
      [1, 365 * 86_400_000],
      [1000, 7 * 86_400_000],
      [1000, 3_600_000],
      [60_000, 1_000_000],
    ] as const) {
      const { expected, parse } = durationValue(minMs, maxMs);
      const examples = expected.replace(/^.*like /, '').split(', ');
      assert.ok(examples.length >= 2, expected);
      for (const example of examples) assert.doesNotThrow(() => parse(example), `${example} in "${expected}"`);
    }
  });

  it('times are written in the largest unit that is exact', () => {
    assert.deepEqual([0, 1500, 90_000, 120_000, 7_200_000, 86_400_000].map(formatDuration), [
      '0ms',
      '1500ms',
      '90s',
      '2m',
      '2h',
      '1d',
    ]);
  });

  it('megabytes become octets', () => {
    assert.equal(megabytesValue(1, 64).parse('64'), 64 * 1024 * 1024);
    assert.equal(megabytesValue(1, 64).parse('16Mi'), 16 * 1024 * 1024);
    assert.equal(megabytesValue(1, 2048).parse('1Gi'), 1024 * 1024 * 1024);
    refuses(megabytesValue(1, 64), ['0', '65', '65Mi', '1Gi', '1MB', '1.5', 'Mi']);
  });

  it('a choice is one of its words exactly', () => {
    assert.equal(choiceValue(['tunnel', 'direct']).parse('tunnel'), 'tunnel');
    refuses(choiceValue(['tunnel', 'direct']), ['Tunnel', 'tun', '', 'tunnel ']);
  });

  it('socket addresses: names, IPv4, IPv6 in brackets, and defaults only where they are given', () => {
    const withHost = socketAddressValue('x', { defaultHost: '127.0.0.1' });
    assert.deepEqual(withHost.parse('9100'), { host: '127.0.0.1', port: 9100 });
    assert.deepEqual(withHost.parse(':9100'), { host: '127.0.0.1', port: 9100 });
    assert.deepEqual(withHost.parse('0.0.0.0:9100'), { host: '0.0.0.0', port: 9100 });
    assert.deepEqual(withHost.parse('[::]:9100'), { host: '::', port: 9100 });
    assert.deepEqual(withHost.parse('metrics.example:9100'), { host: 'metrics.example', port: 9100 });
    refuses(withHost, [
      '0',
      '65536',
      ':',
      'host',
      '[::1]',
      '::1:80',
      '300.1.1.1:80',
      '1.2.3:80',
      'a b:80',
      'h:80:90',
      '',
    ]);

    const withPort = socketAddressValue('x', { defaultPort: 36524 });
    assert.deepEqual(withPort.parse('10.1.1.1'), { host: '10.1.1.1', port: 36524 });
    assert.deepEqual(withPort.parse('[fd00::1]'), { host: 'fd00::1', port: 36524 });
    refuses(withPort, [':80', '', 'fd00::1', '[fd00::zz]', '[10.1.1.1]:80', '-dash:80']);
    assert.throws(() => withPort.parse('fd00::1'), /brackets/);
  });

  it('socket addresses are written with brackets around IPv6', () => {
    assert.equal(formatSocketAddress({ host: 'fd00::1', port: 80 }), '[fd00::1]:80');
    assert.equal(formatSocketAddress({ host: '10.1.1.1', port: 80 }), '10.1.1.1:80');
  });

  it('an address range has no bits beyond its prefix', () => {
    const { address, prefixBits } = addressRangeValue.parse('10.16.0.0/12');
    assert.equal(`${formatIpAddress(address)}/${prefixBits}`, '10.16.0.0/12');
    assert.equal(addressRangeValue.parse('10.1.1.1').prefixBits, 32);
    assert.equal(addressRangeValue.parse('fd00::/8').prefixBits, 8);
    assert.equal(addressRangeValue.parse('0.0.0.0/0').prefixBits, 0);
    refuses(addressRangeValue, ['10.16.0.1/16', '10.0.0.0/33', 'fd00::/129', '10.0.0.0/', '10.0.0/8', 'x', '']);
  });
});
