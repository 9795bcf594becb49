/** Settings of an operator: what the codec lets through becomes a plan that an engine takes, whole or in parts. */
import assert from 'node:assert/strict';
import { ENDPOINTS_MAX, encodeCopySettings, parseCopySettings, parseIpAddress, TARGETS_MAX } from '@trafficcopy/core';
import { type FuzzTarget, jsonInputs } from '@trafficcopy/fuzz';
import { ManagedLogins } from '../../src/operator/managed-logins.js';
import { settingsPlan } from '../../src/operator/settings-plan.js';
import { copySettings } from '../kit/copy-settings.js';

const OWN = ['127.0.0.1', '10.0.0.1', 'fd00::1'].map((text) => parseIpAddress(text)!);

const CREDENTIALS = '- {protocol: redis, port: 80, users: [{name: shop, password: secret, database: 3}]}\n';

const target: FuzzTarget = {
  seeds: [
    encodeCopySettings(copySettings(['10.0.0.2', 'fd00::2'], { clientRanges: ['198.18.0.0/15'] })),
    encodeCopySettings(copySettings(['10.0.0.2'], { ramp: { durationMs: 60_000, beganAtMs: 1000 }, sentAtMs: 2000 })),
    encodeCopySettings(copySettings(['10.0.0.2'], { credentials: CREDENTIALS })),
  ],
  mutate: jsonInputs(),
  words: ['"endpoints":', '10.0.0.1', '::1', '/33', '0.0.0.0/0'],
  run: (input) => {
    const settings = parseCopySettings(input);
    if (settings === undefined) return 0;
    const managed = new ManagedLogins();
    managed.follow(settings.credentials);
    assert.ok(managed.logins !== undefined || managed.problem !== undefined);
    const { plan, problems } = settingsPlan(settings, OWN, 0, managed.logins);
    for (const { ipVersion, targets } of plan.mappings) {
      assert.ok(targets.length >= 1 && targets.length <= TARGETS_MAX);
      for (const { endpoints } of targets) {
        assert.ok(endpoints.length <= ENDPOINTS_MAX);
        for (const { lane, address } of endpoints) {
          assert.ok(lane < plan.lanes.length && address.length === (ipVersion === 4 ? 4 : 16));
        }
      }
    }
    return 1 + plan.mappings.length * 4 + plan.lanes.length * 64 + problems.length * 16_384;
  },
};
export default target;
