import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ValueProblem } from '@trafficcopy/runtime';
import { type SessionFilter, sessionFilterValue } from '../../src/trace/session-filter.js';

const TEN = Uint8Array.of(10, 0, 0, 0);

describe('a filter of sessions', () => {
  const right: readonly [string, SessionFilter][] = [
    ['all', { isLossOnly: false }],
    ['lost', { isLossOnly: true }],
    ['10.0.0.0/8', { isLossOnly: false, clientAddress: TEN, prefixBits: 8 }],
    ['client=10.0.0.0/8', { isLossOnly: false, clientAddress: TEN, prefixBits: 8 }],
    ['10.0.0.0', { isLossOnly: false, clientAddress: TEN, prefixBits: 32 }],
    ['port=40000, online=80', { isLossOnly: false, clientPort: 40_000, onlinePort: 80 }],
    ['target=10.0.0.2:8080,lost', { isLossOnly: true, target: '10.0.0.2:8080' }],
    ['target=[fd00::2]:8080', { isLossOnly: false, target: '[fd00::2]:8080' }],
  ];
  for (const [text, filter] of right) it(text, () => assert.deepEqual(sessionFilterValue.parse(text), filter));

  for (const text of ['', 'nothing', 'port=0', 'port=x', 'online=', 'colour=red', '10.0.0.1/8', 'lost,', 'target=']) {
    it(`refuses "${text}"`, () => assert.throws(() => sessionFilterValue.parse(text), ValueProblem));
  }
});
