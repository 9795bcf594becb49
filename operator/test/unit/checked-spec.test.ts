import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type CheckedSpec,
  checkSpec,
  parseDuration,
  parseMillicores,
  parseQuantity,
  selects,
} from '../../src/api/index.js';

const SOURCE = { selector: { matchLabels: { app: 'a' } } };
const TARGET = { name: 't', selector: { matchLabels: { app: 'b' } }, ports: [{ source: 8080 }] };

function good(spec: object): CheckedSpec {
  const checked = checkSpec({ source: SOURCE, targets: [TARGET], ...spec });
  if ('problems' in checked) assert.fail(checked.problems.join('; '));
  return checked;
}

function problems(spec: object): string {
  const checked = checkSpec({ source: SOURCE, targets: [TARGET], ...spec });
  assert.ok('problems' in checked, 'it was taken');
  return checked.problems.join('; ');
}

const OUTSIDE = {
  name: 't',
  address: 'fd00::1',
  intercept: '[fd00::2]:36524',
  interceptTokenSecret: { name: 'old' },
  ports: [{ source: 80 }],
};

describe('spec', () => {
  it('has the defaults of the schema', () => {
    assert.deepEqual(good({}), {
      sourceSelector: { matchLabels: { app: 'a' }, matchExpressions: [] },
      targets: [
        {
          name: 't',
          place: { kind: 'pods', namespace: undefined, selector: { matchLabels: { app: 'b' }, matchExpressions: [] } },
          ports: [{ source: 8080, target: 8080 }],
        },
      ],
      sampleFraction: 1,
      sampleBy: 'connection',
      sampleSeed: 0,
      multiply: 1,
      rampMs: undefined,
      clientRanges: [],
      credentials: undefined,
      capture: 'Auto',
      delivery: 'tunnel',
      injection: 'Auto',
      isSuspended: false,
      durationMs: undefined,
      scheduleStartMs: undefined,
      scheduleEndMs: undefined,
      sessionsMax: 50_000,
      heldBytesMax: 64 * 2 ** 20,
      bytesPerSecondMax: 0,
      cpuPercentMax: undefined,
      processBytesMax: undefined,
    });
  });

  it('reads shares: percent with decimals, fractions', () => {
    assert.equal(good({ sample: { percent: 0 } }).sampleFraction, 0);
    assert.equal(good({ sample: { percent: 0.25 } }).sampleFraction, 0.0025);
    assert.equal(good({ sample: { fraction: { numerator: 1, denominator: 3 } } }).sampleFraction, 1 / 3);
    assert.equal(good({ sample: { fraction: { numerator: 7 } } }).sampleFraction, 0.07);
  });

  it('reads where credentials are', () => {
    assert.deepEqual(good({ credentialsSecret: { name: 'logins' } }).credentials, {
      secret: 'logins',
      key: 'logins.yaml',
    });
    const { credentials } = good({ credentialsSecret: { name: 'logins', key: 'redis' } });
    assert.equal(credentials?.key, 'redis');
  });

  it('reads a ramp and the safety budget', () => {
    const spec = good({ ramp: '2m30s', limits: { cpu: '250m', processMemory: '512Mi' } });
    assert.deepEqual([spec.rampMs, spec.cpuPercentMax, spec.processBytesMax], [150_000, 25, 512 * 2 ** 20]);
    assert.equal(good({ limits: { cpu: 2 } }).cpuPercentMax, 200);
  });

  it('reads an address outside the cluster, IPv6 too', () => {
    assert.deepEqual(good({ targets: [OUTSIDE] }).targets[0]?.place, {
      kind: 'address',
      address: 'fd00::1',
      interceptHost: 'fd00::2',
      interceptPort: 36524,
      token: { secret: 'old', key: 'token' },
    });
    const target = { ...OUTSIDE, address: 'FD00:0::1', interceptTokenSecret: { name: 'old', key: 'second' } };
    const { place } = good({ targets: [target] }).targets[0]!;
    assert.ok(place.kind === 'address');
    assert.deepEqual([place.address, place.token.key], ['fd00::1', 'second']);
  });

  for (const [what, spec, words] of [
    ['no source', { source: undefined }, /spec.source.selector is empty/],
    ['an empty selector', { source: { selector: {} } }, /is empty: give at least one label/],
    ['no targets', { targets: [] }, /spec.targets is empty/],
    ['nine targets', { targets: Array(9).fill(TARGET) }, /more than 8 items/],
    ['two targets of a name', { targets: [TARGET, TARGET] }, /two targets named t/],
    [
      'a port twice',
      { targets: [{ ...TARGET, ports: [{ source: 1 }, { source: 1, target: 2 }] }] },
      /source port 1 twice/,
    ],
    [
      'a port out of range',
      { targets: [{ ...TARGET, ports: [{ source: 70_000 }] }] },
      /ports\[0\].source must be a number/,
    ],
    ['selector and address', { targets: [{ ...TARGET, address: '1.2.3.4' }] }, /either selector or address/],
    ['an address that is none', { targets: [{ ...OUTSIDE, address: '10.1.1.300' }] }, /address is no IP address/],
    [
      'an address without a token',
      { targets: [{ ...OUTSIDE, interceptTokenSecret: undefined }] },
      /interceptTokenSecret.name is missing/,
    ],
    ['percent and fraction', { sample: { percent: 1, fraction: { numerator: 1 } } }, /not both/],
    ['a fraction above one', { sample: { fraction: { numerator: 2, denominator: 1 } } }, /above its denominator/],
    ['Range without cidrs', { clientAddress: { mode: 'Range' } }, /needs cidrs/],
    ['multiply 0', { multiply: 0 }, /spec.multiply must be/],
    ['credentials without a Secret', { credentialsSecret: {} }, /spec.credentialsSecret.name is missing/],
    ['a Secret that cannot be', { credentialsSecret: { name: '../other' } }, /spec.credentialsSecret.name/],
    ['a word for a duration', { duration: 'long' }, /spec.duration/],
    ['a ramp that is none', { ramp: 'slowly' }, /spec.ramp is no duration like 90s or 10m/],
    ['a ramp of no time', { ramp: '0s' }, /spec.ramp must be from 1s to 168h/],
    ['a ramp of more than a week', { ramp: '169h' }, /spec.ramp must be from 1s to 168h/],
    ['a CPU limit that is none', { limits: { cpu: '50%' } }, /spec.limits.cpu is no number of CPUs like 250m/],
    ['no CPU', { limits: { cpu: '9m' } }, /spec.limits.cpu must be from 10m to 64/],
    ['65 CPUs', { limits: { cpu: 65 } }, /spec.limits.cpu must be from 10m to 64/],
    ['less memory than the program needs', { limits: { processMemory: '64Mi' } }, /processMemory must be from 128Mi/],
    ['too little memory', { limits: { memory: '1Ki' } }, /from 1Mi to 8Gi/],
    ['an unknown way of capture', { capture: 'Guess' }, /one of Auto, Wire, Loopback/],
  ] as const) {
    it(`refuses ${what} by name`, () => assert.match(problems(spec), words));
  }

  for (const value of [
    null,
    1,
    'text',
    [],
    { source: 1 },
    { targets: { a: 1 } },
    { targets: [null, 3, []] },
    Object.create(null),
  ]) {
    it(`never throws: ${JSON.stringify(value)}`, () => assert.ok('problems' in checkSpec(value)));
  }
});

describe('quantities and durations', () => {
  it('quantities', () => {
    const texts = ['64Mi', '1k', 7, '2Gi', '0', '-1', '1.5Gi', 'lots', undefined, 1.5];
    const octets = [64 * 2 ** 20, 1000, 7, 2 * 2 ** 30, ...Array(6).fill(undefined)];
    assert.deepEqual(texts.map(parseQuantity), octets);
  });

  it('CPUs, in thousandths', () => {
    const values = ['250m', '1', 2, '1.5', '0.125', '', 'm', '1.', '1.0001', '-1', '1k', null];
    assert.deepEqual(values.map(parseMillicores), [250, 1000, 2000, 1500, 125, ...Array(7).fill(undefined)]);
  });

  it('durations', () => {
    const texts = ['2h30m', '90s', '1m', '', 'h', '5', '1d', undefined];
    assert.deepEqual(texts.map(parseDuration), [9_000_000, 90_000, 60_000, ...Array(5).fill(undefined)]);
  });
});

describe('selectors', () => {
  const labels = { app: 'a', track: 'canary' };
  for (const [selector, expected] of [
    [{}, false],
    [{ matchLabels: { app: 'a' } }, true],
    [{ matchLabels: { app: 'a', track: 'stable' } }, false],
    [{ matchExpressions: [{ key: 'track', operator: 'In', values: ['x', 'canary'] }] }, true],
    [{ matchExpressions: [{ key: 'track', operator: 'NotIn', values: ['canary'] }] }, false],
    [{ matchExpressions: [{ key: 'missing', operator: 'NotIn', values: ['x'] }] }, true],
    [{ matchExpressions: [{ key: 'track', operator: 'Exists' }] }, true],
    [{ matchExpressions: [{ key: 'track', operator: 'DoesNotExist' }] }, false],
    [{ matchLabels: { toString: 'x' } }, false],
  ] as const) {
    it(`${JSON.stringify(selector)} → ${expected}`, () => assert.equal(selects(selector, labels), expected));
  }
});
