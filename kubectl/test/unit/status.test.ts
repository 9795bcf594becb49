import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LOSS_REASONS } from '@trafficcopy/core';
import { lossText } from '../../src/status/loss-text.js';
import { columnsText, STATUS_HEADINGS, stateText, statusLine, statusText } from '../../src/status/status-text.js';
import { trafficCopyView, troubles } from '../../src/status/traffic-copy-view.js';

function resource(status: unknown, spec: unknown = {}): ReturnType<typeof trafficCopyView> {
  return trafficCopyView({ metadata: { name: 'checkout', namespace: 'shop', generation: 2 }, spec, status });
}

const COPYING = {
  observedGeneration: 2,
  sources: { selected: 3, injected: 3, copying: 3 },
  targets: [{ name: 'canary', selected: 2, ready: 2 }],
  traffic: {
    connections: 12,
    sessionsOpen: 4,
    turnsCaptured: 1000,
    turnsDelivered: 990,
    turnsPending: 3,
    turnsLost: 7,
    turnsPerSecond: 250,
    lostPercent: '0.70',
  },
  losses: [{ reason: 'targetReset', turns: 7 }],
  conditions: [
    { type: 'Ready', status: 'True', reason: 'Copying', message: '' },
    { type: 'Copying', status: 'True', reason: 'Copying', message: '' },
    { type: 'Degraded', status: 'False', reason: 'AllWell', message: '' },
  ],
};

describe('status', () => {
  it('a copying one shows its pods, its rate, and what was lost and why', () => {
    const text = statusText(resource(COPYING), 110);
    for (const part of [
      'shop/checkout: copying',
      '3/3',
      '2/2',
      '250',
      '990',
      '0.70 %',
      'targetReset',
      'closed or reset',
    ]) {
      assert.ok(text.includes(part), `${part} in\n${text}`);
    }
  });

  it('what keeps it from copying is said in the words of its condition', () => {
    const message = 'label the namespace';
    const conditions = [{ type: 'SourcesInjected', status: 'False', reason: 'PodSecurity', message }];
    const text = statusText(resource({ ...COPYING, conditions }), 110);
    assert.match(text, /SourcesInjected \(PodSecurity\): label the namespace/);
  });

  for (const [name, status, spec, state] of [
    ['one that the operator has not seen', undefined, {}, 'not seen by the operator yet'],
    ['a suspended one', COPYING, { suspend: true }, 'suspended'],
    ['a copying one', COPYING, {}, 'copying'],
    [
      'one with trouble',
      {
        ...COPYING,
        conditions: [...COPYING.conditions.slice(0, 2), { type: 'Degraded', status: 'True', reason: 'X' }],
      },
      {},
      'copying, degraded',
    ],
  ] as const) {
    it(`${name} is «${state}»`, () => assert.equal(stateText(resource(status, spec)), state));
  }

  it('a status of any shape is read without a fault', () => {
    for (const status of [
      null,
      7,
      'x',
      [],
      { targets: 3, losses: [null, 'x'], conditions: {}, traffic: [], sources: null },
    ]) {
      assert.ok(statusText(resource(status), 80).length > 0);
      assert.equal(troubles(resource(status)).length, 0);
    }
  });

  it('several stand in columns under their headings', () => {
    const [headings, line] = columnsText([STATUS_HEADINGS, statusLine(resource(COPYING))]).split('\n');
    assert.equal(headings?.indexOf('RATE'), line?.indexOf('250/s'));
  });

  it('every reason for a loss has words', () => {
    for (const reason of LOSS_REASONS) assert.notEqual(lossText(reason), '', reason);
  });
});
