/** What operator, copy and intercept tell each other: settings, reports, stop. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  COPY_REPORT_LIMITS,
  COPY_SETTINGS_LIMITS,
  type CopyReport,
  type CopySettings,
  encodeCopyReport,
  encodeCopySettings,
  encodeInterceptReport,
  encodeInterceptSettings,
  encodeJson,
  encodeStop,
  FRAME_PAYLOAD_BYTES_MAX,
  INTERCEPT_REPORT_LIMITS,
  parseCopyReport,
  parseCopySettings,
  parseInterceptReport,
  parseInterceptSettings,
  parseStop,
} from '../../src/index.js';
import { COPY_REPORT, COPY_SETTINGS, INTERCEPT_REPORT, INTERCEPT_SETTINGS } from '../kit/golden-frames.js';

const ENDPOINT = COPY_SETTINGS.mappings[0]!.targets[0]!.endpoints[0]!;

/** Settings with `mappings` x `endpoints` endpoints. */
function settingsOf(mappings: number, endpoints: number): CopySettings {
  const target = { name: 'candidate', endpoints: new Array(endpoints).fill(ENDPOINT) };
  return {
    ...COPY_SETTINGS,
    mappings: Array.from({ length: mappings }, (_, index) => ({ onlinePort: index + 1, targets: [target] })),
  };
}

test('payloads come back as they were written', () => {
  assert.deepEqual(parseCopySettings(encodeCopySettings(COPY_SETTINGS)), COPY_SETTINGS);
  assert.deepEqual(parseInterceptSettings(encodeInterceptSettings(INTERCEPT_SETTINGS)), INTERCEPT_SETTINGS);
  assert.deepEqual(parseCopyReport(encodeCopyReport(COPY_REPORT)), COPY_REPORT);
  assert.deepEqual(parseInterceptReport(encodeInterceptReport(INTERCEPT_REPORT)), INTERCEPT_REPORT);
  assert.deepEqual(parseStop(encodeStop({ message: 'over' })), { message: 'over' });
});

test('an endpoint with a token of its own, and one that is down, come back too', () => {
  const endpoint = { ...ENDPOINT, tokenVariable: 'TRAFFICCOPY_INTERCEPT_TOKEN_0A1B2C3D' };
  const settings = { ...COPY_SETTINGS, mappings: [{ onlinePort: 1, targets: [{ name: 'a', endpoints: [endpoint] }] }] };
  assert.deepEqual(parseCopySettings(encodeCopySettings(settings)), settings);
  const down = { code: 'unreachable', message: 'nobody there' } as const;
  const report = { ...COPY_REPORT, endpoints: [{ endpoint: '10.0.0.9:80', isUp: false, down }] };
  assert.deepEqual(parseCopyReport(encodeCopyReport(report)), report);
  const odd = { ...report, endpoints: [{ endpoint: '10.0.0.9:80', isUp: false, down: { ...down, code: 'bored' } }] };
  assert.equal(parseCopyReport(encodeJson(odd)), undefined);
});

test('settings with a ramp, a budget and credentials come back too; a copy of an older version would leave them out', () => {
  const settings: CopySettings = {
    ...COPY_SETTINGS,
    ramp: { durationMs: 600_000, beganAtMs: 1_772_366_400_000 },
    sentAtMs: 1_772_366_460_000,
    limits: { ...COPY_SETTINGS.limits, cpuPercentMax: 2.5, processBytesMax: 1 << 28 },
  };
  assert.deepEqual(parseCopySettings(encodeCopySettings(settings)), settings);
  const credentials = '- {password: "🔑\\u0000\t ü"}\n';
  assert.deepEqual(parseCopySettings(encodeCopySettings({ ...settings, credentials })), { ...settings, credentials });
  const begins = { ...COPY_SETTINGS, ramp: { durationMs: 1 } };
  assert.deepEqual(parseCopySettings(encodeCopySettings(begins)), begins);
});

test('a payload of another kind, and one in a larger chunk, is told apart', () => {
  assert.equal(parseCopySettings(encodeInterceptSettings(INTERCEPT_SETTINGS)), undefined);
  assert.equal(parseInterceptReport(encodeCopyReport(COPY_REPORT)), undefined);
  const payload = encodeCopyReport(COPY_REPORT);
  const chunk = new Uint8Array(payload.length + 9).fill(0x7b);
  chunk.set(payload, 4);
  assert.deepEqual(parseCopyReport(chunk, 4, payload.length), COPY_REPORT);
});

for (const [what, change] of [
  ['a fraction beyond 1', { sample: { fraction: 1.5, by: 'client', seed: 0 } }],
  ['no copies', { copies: 0 }],
  ['more copies than the limit', { copies: COPY_SETTINGS_LIMITS.copies + 1 }],
  ['a range without bits', { clientRanges: ['198.18.0.0'] }],
  ['a range with too many bits', { clientRanges: ['198.18.0.0/33'] }],
  ['a range that is none', { clientRanges: ['198.18.0.0/15; rm'] }],
  ['no sessions', { limits: { sessionsMax: 0, heldBytesMax: 1, bytesPerSecondMax: 0 } }],
  ['a CPU limit of 0', { limits: { ...COPY_SETTINGS.limits, cpuPercentMax: 0 } }],
  ['a memory limit that is text', { limits: { ...COPY_SETTINGS.limits, processBytesMax: '1Gi' } }],
  ['more credentials than the limit', { credentials: 'x'.repeat(COPY_SETTINGS_LIMITS.credentials + 1) }],
  ['credentials that are no text', { credentials: {} }],
  ['half a character in its credentials', { credentials: 'a\ud83d' }],
  ['a ramp without a length', { ramp: { beganAtMs: 1 } }],
  ['a ramp of no time', { ramp: { durationMs: 0 } }],
  ['a ramp that began at no time', { ramp: { durationMs: 1, beganAtMs: 'noon' } }],
  ['a ramp that is none', { ramp: 5 }],
  ['an unknown state', { state: 'constructor' }],
  ['an online port of 0', { mappings: [{ onlinePort: 0, targets: [] }] }],
  [
    'a target that is a host name',
    { mappings: [{ onlinePort: 1, targets: [{ name: '', endpoints: [{ ...ENDPOINT, address: 'target' }] }] }] },
  ],
  [
    'a token in a variable that is none of ours',
    {
      mappings: [{ onlinePort: 1, targets: [{ name: '', endpoints: [{ ...ENDPOINT, tokenVariable: 'AWS_SECRET' }] }] }],
    },
  ],
  ['mappings that are no list', { mappings: {} }],
] as const) {
  test(`settings with ${what} are not read`, () => {
    assert.equal(parseCopySettings(encodeJson({ ...COPY_SETTINGS, ...change })), undefined);
  });
}

test('settings hold as many endpoints as fit in a frame, and not one more', () => {
  const { endpoints, endpointsInAll } = COPY_SETTINGS_LIMITS;
  const most = settingsOf(endpointsInAll / endpoints, endpoints);
  const long = {
    address: '2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff',
    port: 65535,
    interceptHost: '2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff',
    interceptPort: 65535,
  };
  const text = JSON.stringify(most).replaceAll(JSON.stringify(ENDPOINT), JSON.stringify(long));
  const payload = encodeCopySettings(JSON.parse(text) as CopySettings);
  assert.ok(payload.length <= FRAME_PAYLOAD_BYTES_MAX, `${payload.length} octets`);
  assert.ok(parseCopySettings(payload) !== undefined);
  assert.equal(parseCopySettings(encodeCopySettings(settingsOf(endpointsInAll / endpoints + 1, endpoints))), undefined);
  assert.equal(parseCopySettings(encodeCopySettings(settingsOf(1, endpoints + 1))), undefined);
});

test('settings of 1,000 pods with two addresses and two grants each fit in a frame', () => {
  const pod = {
    ...INTERCEPT_SETTINGS.pods[0]!,
    name: `${'n'.repeat(63)}/${'p'.repeat(100)}`,
    addresses: ['10.255.255.255', '2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff'],
    grants: [
      { ...INTERCEPT_SETTINGS.pods[0]!.grants[0]!, owner: `${'n'.repeat(63)}/${'u'.repeat(36)}` },
      { ...INTERCEPT_SETTINGS.pods[0]!.grants[0]!, ports: [8080, 8443], clientRanges: ['198.18.0.0/15'] },
    ],
  };
  const payload = encodeInterceptSettings({ ...INTERCEPT_SETTINGS, pods: new Array(1000).fill(pod) });
  assert.ok(payload.length <= FRAME_PAYLOAD_BYTES_MAX, `${payload.length} octets`);
  assert.equal(parseInterceptSettings(payload)?.pods.length, 1000);
});

for (const [what, change] of [
  ['an address with a zone', { addresses: ['fe80::1%eth0'] }],
  ['no UID', { uid: '' }],
  ['a UID with a line break', { uid: 'a\nb' }],
  ['a port of 65536', { grants: [{ owner: 'shop/u', ports: [65536], clientRanges: [] }] }],
  ['a grant without an owner', { grants: [{ ports: [80], clientRanges: [] }] }],
] as const) {
  test(`settings of an intercept with a pod with ${what} are not read`, () => {
    const pods = [{ ...INTERCEPT_SETTINGS.pods[0]!, ...change }];
    assert.equal(parseInterceptSettings(encodeJson({ ...INTERCEPT_SETTINGS, pods })), undefined);
  });
}

test('a report becomes plain when it is written: no fractions, no escapes, no half characters', () => {
  const read = parseCopyReport(
    encodeCopyReport({
      ...COPY_REPORT,
      lagMs: 1.6,
      elapsedMs: Number.NaN,
      sessionsOpen: -3,
      turnsLost: { noResponse: 1.4, ['__proto__']: 5, 'not a word': 1 },
      problems: ['a\u001b[2Jb\n', '\ud83d', 'größer 🙂'],
    }),
  );
  assert.equal(read?.lagMs, 2);
  assert.equal(read.elapsedMs, 0);
  assert.equal(read.sessionsOpen, 0);
  assert.deepEqual(read.turnsLost, { noResponse: 1 });
  assert.deepEqual(read.problems, ['a [2Jb ', ' ', 'größer 🙂']);
});

test('a report that is too long is cut where it is written, and fits in a frame at its longest', () => {
  const wide = '\u20ac'.repeat(10_000);
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`r${index}`, 2 ** 53 - 1]));
  const copy: CopyReport = {
    ...COPY_REPORT,
    turnsLost: many,
    terminal: many,
    encrypted: many,
    endpoints: new Array(9000).fill({ endpoint: wide, isUp: false, down: { code: 'refused', message: wide } }),
    problems: new Array(100).fill(wide),
  };
  const payload = encodeCopyReport(copy);
  assert.ok(payload.length <= FRAME_PAYLOAD_BYTES_MAX, `${payload.length} octets`);
  const endpoints = parseCopyReport(payload)?.endpoints ?? [];
  assert.equal(endpoints.length, COPY_REPORT_LIMITS.endpoints);
  assert.equal(endpoints.filter(({ down }) => down !== undefined).length, COPY_REPORT_LIMITS.faults);
  const pods = new Array(9000).fill({ uid: wide, state: 'failed', message: wide });
  const other = encodeInterceptReport({ ...INTERCEPT_REPORT, pods, recordsRefused: many });
  assert.ok(other.length <= FRAME_PAYLOAD_BYTES_MAX, `${other.length} octets`);
  assert.equal(parseInterceptReport(other)?.pods.length, INTERCEPT_REPORT_LIMITS.pods);
});

test('a report with a count that is no count, or with too many of them, is not read', () => {
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`r${index}`, 1]));
  for (const turnsLost of [{ noResponse: -1 }, { noResponse: '1' }, { 'a b': 1 }, many, [], null]) {
    assert.equal(parseCopyReport(encodeJson({ ...COPY_REPORT, turnsLost })), undefined);
  }
});

test('a stop that cannot be read is still one', () => {
  assert.deepEqual(parseStop(Uint8Array.of(0xff)), { message: '' });
  assert.deepEqual(parseStop(encodeJson({ message: 7 })), { message: '' });
});
