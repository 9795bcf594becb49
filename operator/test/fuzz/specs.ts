/** Specs of TrafficCopies: whatever is in one, it is a spec within its bounds, or sentences about it. */
import assert from 'node:assert/strict';
import { type FuzzTarget, feature, jsonInputs } from '@trafficcopy/fuzz';
import { checkSpec, parseDuration, parseMillicores, parseQuantity, selects } from '../../src/api/index.js';

const SPEC = {
  source: { selector: { matchLabels: { app: 'checkout' } } },
  targets: [{ name: 'canary', selector: { matchLabels: { app: 'canary' } }, ports: [{ source: 8080, target: 9090 }] }],
};
const WHOLE = {
  ...SPEC,
  targets: [
    ...SPEC.targets,
    {
      name: 'outside',
      address: 'fd00::1',
      intercept: '[fd00::2]:36524',
      interceptTokenSecret: { name: 'old', key: 'token' },
      ports: [{ source: 80 }],
    },
  ],
  sample: { fraction: { numerator: 1, denominator: 3 }, by: 'Client', seed: 7 },
  multiply: 2,
  clientAddress: { mode: 'Range', cidrs: ['198.18.0.0/15'] },
  duration: '2h30m',
  schedule: { start: '2026-03-01T08:00:00Z', end: '2026-03-02T08:00:00Z' },
  ramp: '10m',
  limits: { sessions: 1000, memory: '64Mi', bandwidth: '200M', cpu: '1.5', processMemory: '512Mi' },
};

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const target: FuzzTarget = {
  seeds: [SPEC, WHOLE].map((spec) => encoder.encode(JSON.stringify(spec))),
  mutate: jsonInputs(),
  words: ['"matchExpressions":', '"percent":', '1e400', '"9999h"', 'null', '[]'],
  run: (input) => {
    const spec = parsed(decoder.decode(input));
    parseDuration(spec);
    parseQuantity(spec);
    parseMillicores(spec);
    const checked = checkSpec(spec);
    if ('problems' in checked) {
      assert.ok(checked.problems.length >= 1 && checked.problems.length <= 16);
      assert.ok(checked.problems.every((text) => text.length < 1000));
      return feature(checked.problems.map((text) => text.replaceAll(/\[.*?\]/g, '')).join());
    }
    assert.ok(checked.targets.length >= 1 && checked.targets.length <= 8);
    assert.ok(checked.sampleFraction >= 0 && checked.sampleFraction <= 1);
    assert.ok(checked.heldBytesMax >= 2 ** 20 && Number.isInteger(checked.sessionsMax));
    assert.ok(checked.rampMs === undefined || (checked.rampMs >= 1000 && checked.rampMs <= 604_800_000));
    assert.ok(checked.cpuPercentMax === undefined || (checked.cpuPercentMax >= 1 && checked.cpuPercentMax <= 6400));
    assert.ok(checked.durationMs === undefined || checked.durationMs > 0);
    return 32 + checked.targets.length * 2 + (selects(checked.sourceSelector, { app: 'checkout' }) ? 1 : 0);
  },
};
export default target;
