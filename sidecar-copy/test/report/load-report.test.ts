import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TargetMeter } from '@trafficcopy/core';
import { LoadReport, TARGETS_MEASURED_MAX } from '../../src/report/load-report.js';
import { loadRows } from '../../src/report/load-rows.js';
import { SPANS_MAX, TimeSeries } from '../../src/report/time-series.js';

const ORIGIN_MS = Date.UTC(2026, 0, 1);

function meterOf(report: LoadReport, target = '10.0.0.3:80'): TargetMeter {
  const meter = report.meterFor(target);
  assert.ok(meter);
  return meter;
}

/** One turn that took so long, answered at a moment. */
function turn(meter: TargetMeter, us: number, nowMs: number): void {
  meter.delivered(100, nowMs);
  meter.firstOctet(us / 2, nowMs);
  meter.octets(1000, nowMs);
  meter.lastOctet(us, nowMs);
}

describe('the figures of a target', () => {
  it('have percentiles within a thousandth, and the largest exactly', () => {
    const report = new LoadReport(ORIGIN_MS);
    const meter = meterOf(report);
    for (let us = 1; us <= 100_000; us += 1) turn(meter, us, 0);
    const { lastOctet, firstOctet } = report.figures().targets[0]!;
    assert.equal(lastOctet.count, 100_000);
    assert.equal(lastOctet.maxUs, 100_000);
    for (const [got, exact] of [
      [lastOctet.p50Us, 50_000],
      [lastOctet.p90Us, 90_000],
      [lastOctet.p99Us, 99_000],
      [lastOctet.p999Us, 99_900],
      [lastOctet.meanUs, 50_000],
      [firstOctet.p50Us, 25_000],
    ] as const) {
      assert.ok(Math.abs(got - exact) <= exact / 1000 + 1, `${got} for ${exact}`);
    }
  });

  it('tell what happened when, from the first moment on in which something did', () => {
    const report = new LoadReport(ORIGIN_MS);
    const meter = meterOf(report);
    meter.connected(5100);
    turn(meter, 400, 5200);
    turn(meter, 600, 7999);
    meter.lost('targetReset', 3, 7500);
    const { beganAtMs, spanMs, targets } = report.figures();
    assert.deepEqual([beganAtMs, spanMs], [ORIGIN_MS + 5000, 1000]);
    const { series, requests, requestsLost, connections, requestOctets, answerOctets } = targets[0]!;
    assert.deepEqual(series.requests, [1, 0, 1]);
    assert.deepEqual(series.connections, [1, 0, 0]);
    assert.deepEqual(series.requestOctets, [100, 0, 100]);
    assert.deepEqual(series.answerOctets, [1000, 0, 1000]);
    assert.deepEqual(series.lost, { targetReset: [0, 0, 3] });
    assert.deepEqual(series.p50Us[1], null);
    assert.deepEqual([series.maxUs[0], series.maxUs[2]], [400, 600]);
    assert.deepEqual([requests, requestsLost, connections, requestOctets, answerOctets], [2, 3, 1, 200, 2000]);
  });

  it('of a day fit into as many spans as those of a minute, and add up', () => {
    const report = new LoadReport(ORIGIN_MS);
    const meter = meterOf(report);
    const minutes = 24 * 60;
    for (let minute = 0; minute < minutes; minute += 1) turn(meter, 1000 + minute, minute * 60_000);
    // What ends late belongs to the span that it happened in.
    meter.lastOctet(7_000_000, 60_000);
    const { spanMs, targets } = report.figures();
    const { series } = targets[0]!;
    assert.equal(spanMs, 512_000);
    assert.ok(series.requests.length <= SPANS_MAX);
    assert.equal(
      series.requests.reduce((sum, count) => sum + count, 0),
      minutes,
    );
    assert.equal(series.maxUs[0], 7_000_000);
    assert.equal(series.maxUs.at(-1), 1000 + minutes - 1);
  });

  it('of times beyond an hour, and below nothing, are counted all the same', () => {
    const report = new LoadReport(ORIGIN_MS);
    const meter = meterOf(report);
    meter.firstOctet(-1, 0);
    meter.firstOctet(1e12, 0);
    const { firstOctet } = report.figures().targets[0]!;
    assert.deepEqual([firstOctet.count, firstOctet.maxUs], [2, 3_600_000_000]);
  });

  it('of targets beyond the limit are not kept, and counted once', () => {
    const report = new LoadReport(ORIGIN_MS);
    for (let index = 0; index < TARGETS_MEASURED_MAX; index += 1) meterOf(report, `10.0.0.${index}:80`);
    assert.equal(report.meterFor('10.9.9.9:80'), undefined);
    assert.equal(report.meterFor('10.9.9.9:80'), undefined);
    assert.ok(report.meterFor('10.0.0.7:80'));
    const { targets, targetsNotMeasured } = report.figures();
    assert.deepEqual([targets.length, targetsNotMeasured], [TARGETS_MEASURED_MAX, 1]);
  });

  it('are empty, and no division by nothing, where nothing happened', () => {
    const report = new LoadReport(ORIGIN_MS);
    meterOf(report);
    const { targets } = report.figures();
    assert.equal(targets[0]!.lastOctet.count, 0);
    assert.deepEqual(targets[0]!.series.requests, []);
    assert.deepEqual(
      loadRows(targets[0]!).map(({ label }) => label),
      ['requests delivered', 'connections', 'answers measured', 'sent, answered'],
    );
  });
});

describe('reports of several workers', () => {
  it('added up are that of one process which did it all, also where one has run longer', () => {
    const whole = new LoadReport(ORIGIN_MS);
    const sum = new LoadReport(ORIGIN_MS);
    const workers = [new LoadReport(0), new LoadReport(0)];
    for (let index = 0; index < 1000; index += 1) {
      // The second one says nothing after three minutes: its spans are shorter.
      const nowMs = index * 1000;
      const worker = workers[index < 180 ? index % 2 : 0]!;
      for (const report of [whole, worker]) {
        turn(meterOf(report), 10 * (index + 1), nowMs);
        meterOf(report, '10.0.0.4:80').connected(nowMs);
      }
    }
    for (const worker of workers) sum.add(structuredClone(worker.toParts()));
    const [expected, got] = [whole.figures(), sum.figures()];
    assert.equal(got.spanMs, 8000);
    for (const [index, target] of expected.targets.entries()) {
      const { firstOctet, lastOctet, curve, series, ...rest } = target;
      const other = got.targets[index]!;
      const { p50Us, p99Us, maxUs, ...counts } = series;
      assert.deepEqual(
        { ...other, firstOctet, lastOctet, curve, series },
        { ...rest, firstOctet, lastOctet, curve, series },
      );
      assert.deepEqual({ ...other.series, p50Us, p99Us, maxUs }, { ...counts, p50Us, p99Us, maxUs });
      assert.equal(other.lastOctet.count, lastOctet.count);
      // Of the largest only its place in the histogram is sent.
      for (const name of ['p50Us', 'p90Us', 'p99Us', 'p999Us', 'maxUs'] as const) {
        assert.ok(Math.abs(other.lastOctet[name] - lastOctet[name]) <= lastOctet[name] / 1000 + 1, name);
      }
    }
  });
});

describe('a time series', () => {
  it('keeps the sum whatever happens when, and adds series of other widths', () => {
    const make = (): { sum: number } => ({ sum: 0 });
    const join = (into: { sum: number }, other: { sum: number }): void => {
      into.sum += other.sum;
    };
    const total = (series: TimeSeries<{ sum: number }>): number =>
      Array.from({ length: series.length }, (_, index) => series.row(index)?.sum ?? 0).reduce((a, b) => a + b, 0);
    const short = new TimeSeries(make, join);
    const long = new TimeSeries(make, join);
    for (let second = 0; second < 100; second += 1) short.at(second * 1000).sum += 1;
    for (const second of [0, 4000, 3, 2 ** 17, 5]) long.at(second * 1000).sum += 1;
    assert.deepEqual([total(short), total(long)], [100, 5]);
    assert.ok(long.length <= SPANS_MAX);
    short.add(long);
    assert.equal(total(short), 105);
    short.at(1000).sum += 1;
    assert.equal(total(short), 106);
  });
});
