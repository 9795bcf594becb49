/** What a report says of one target: figures only, ready for a table, JSON and a page. */
import { LOSS_REASONS, type LossReason } from '@trafficcopy/core';
import type { LatencyHistogram, LatencySection } from './latency-histogram.js';
import type { TargetRecorder } from './target-recorder.js';

/** Percentiles of the curve in the page. */
const CURVE_PERCENTILES = curvePercentiles();

/** One number for each span of the report. */
export interface SeriesFigures {
  readonly spanMs: number;
  readonly requests: readonly number[];
  readonly connections: readonly number[];
  readonly requestOctets: readonly number[];
  readonly answerOctets: readonly number[];
  /** To the last octet, microseconds; null where no answer ended. */
  readonly p50Us: readonly (number | null)[];
  readonly p99Us: readonly (number | null)[];
  readonly maxUs: readonly (number | null)[];
  /** The reasons that there are. */
  readonly lost: Readonly<Partial<Record<LossReason, readonly number[]>>>;
}

export interface TargetReport {
  readonly name: string;
  readonly requests: number;
  readonly requestsLost: number;
  readonly connections: number;
  readonly requestOctets: number;
  readonly answerOctets: number;
  readonly firstOctet: LatencySection;
  readonly lastOctet: LatencySection;
  readonly series: SeriesFigures;
  /** Percentile, time to the first octet, time to the last, of each point. */
  readonly curve: readonly (readonly [number, number, number])[];
}

/** The figures of a target, from span `first` of its series to before `end`. */
export function targetReport(recorder: TargetRecorder, first: number, end: number): TargetReport {
  const { name, firstOctets, lastOctets } = recorder;
  const series = seriesFigures(recorder, first, end);
  return {
    name,
    requests: sum(series.requests),
    requestsLost: Object.values(series.lost).reduce((lost, turns) => lost + sum(turns), 0),
    connections: sum(series.connections),
    requestOctets: sum(series.requestOctets),
    answerOctets: sum(series.answerOctets),
    firstOctet: firstOctets.section(),
    lastOctet: lastOctets.section(),
    series,
    curve: lastOctets.count === 0 ? [] : curveOf(firstOctets, lastOctets),
  };
}

function seriesFigures({ series }: TargetRecorder, first: number, end: number): SeriesFigures {
  const spans = Array.from({ length: Math.max(0, end - first) }, (_, index) => series.row(first + index));
  const percentiles = (percentile: number): (number | null)[] =>
    spans.map((span) =>
      span === undefined || span.answers.count === 0 ? null : span.answers.percentileUs(percentile),
    );
  const lost: Partial<Record<LossReason, number[]>> = {};
  for (const [index, reason] of LOSS_REASONS.entries()) {
    const turns = spans.map((span) => span?.lost[index] ?? 0);
    if (turns.some((count) => count > 0)) lost[reason] = turns;
  }
  return {
    spanMs: series.spanMs,
    requests: spans.map((span) => span?.turns ?? 0),
    connections: spans.map((span) => span?.connections ?? 0),
    requestOctets: spans.map((span) => span?.turnOctets ?? 0),
    answerOctets: spans.map((span) => span?.answerOctets ?? 0),
    p50Us: percentiles(50),
    p99Us: percentiles(99),
    maxUs: percentiles(100),
    lost,
  };
}

function curveOf(first: LatencyHistogram, last: LatencyHistogram): [number, number, number][] {
  // Beyond 1 in as many as there are, each point would be the largest.
  const deepest = 100 * (1 - 1 / last.count);
  return CURVE_PERCENTILES.filter((percentile) => percentile <= deepest).map((percentile) => [
    percentile,
    first.percentileUs(percentile),
    last.percentileUs(percentile),
  ]);
}

/** Eight points for each half of the rest, as HDR plots have them. */
function curvePercentiles(): number[] {
  const points: number[] = [];
  for (let rest = 1; rest > 1e-6; rest /= 2) {
    for (let step = 0; step < 8; step += 1) points.push(100 * (1 - rest * (1 - step / 16)));
  }
  return points;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
