/** Reports of copies that make their figures up: what is summed stays counts, and the tables stay small. */
import assert from 'node:assert/strict';
import { type CopyReport, encodeCopyReport, parseCopyReport } from '@trafficcopy/core';
import { type FuzzTarget, feature, jsonInputs } from '@trafficcopy/fuzz';
import { TrafficSum } from '../../src/hub/traffic-sum.js';
import { COPY_REPORT } from '../kit/copy-report.js';

const REPORT: CopyReport = { ...COPY_REPORT, endpoints: [{ endpoint: '10.0.0.2:80', isUp: true }] };
const decoder = new TextDecoder();
const LOST = { turnsCaptured: 9, turnsDelivered: 5, turnsPending: 1, turnsLost: { shed: 2, noResponse: 1 } };

const target: FuzzTarget = {
  seeds: [REPORT, { ...REPORT, ...LOST }].map((report) => encodeCopyReport(report)),
  mutate: jsonInputs(),
  run: (input) => {
    const sum = new TrafficSum();
    const report = parseCopyReport(input);
    if (report === undefined) return 0;
    // The same process, another one, and another pod; then all of them go.
    sum.add('a', undefined, { ...REPORT, ...LOST }, 0);
    sum.add('a', undefined, report, 600);
    sum.add('a', 'other', report, 1200);
    sum.add('b', undefined, report, 1200);
    const traffic = sum.read(1300);
    sum.sweep(4_000_000);
    for (const value of [...Object.values(traffic), ...Object.values(sum.read(4_000_000))]) {
      assert.ok(typeof value !== 'number' || (Number.isFinite(value) && value >= 0), decoder.decode(input));
    }
    assert.ok(traffic.losses.length <= 65 && /^[0-9.]+$/.test(traffic.lostPercent), traffic.lostPercent);
    return feature(JSON.stringify(traffic).replaceAll(/[0-9]+/g, (digits) => String(digits.length)));
  },
};
export default target;
