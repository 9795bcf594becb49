import type { ComparisonReport, SlowRequest } from '@trafficcopy/core';

/** What --compare has found so far; a picture of one moment. */
export interface ComparisonFigures {
  /** Turns that it is through with: the sum of the next three and of `incomparable`. */
  readonly turns: number;
  readonly equal: number;
  readonly different: number;
  /** Equal but for what no two parties agree on. */
  readonly noise: number;
  /** By reason; only reasons that occurred. */
  readonly incomparable: Readonly<Record<string, number>>;
  /** By target: turns in which it differs from online, and of them by field. */
  readonly targets: Readonly<
    Record<string, { readonly turns: number; readonly fields: Readonly<Record<string, number>> }>
  >;
  /** Fields that are noise, and in how many turns. */
  readonly noiseFields: Readonly<Record<string, number>>;
  /** Requests that differ, most often first. */
  readonly requests: readonly { readonly request: string; readonly turns: number }[];
  /** Requests for which a target took much longer than online, worst first. */
  readonly slow: readonly SlowRequest[];
  /** Differences beyond --compare-max. */
  readonly differencesDropped: number;
}

/** Requests of each kind that are named. */
const REQUESTS_MAX = 50;

export function comparisonFigures(report: ComparisonReport): ComparisonFigures {
  const { turns, equal, different, noise, slow, differencesDropped } = report;
  return {
    turns,
    equal,
    different,
    noise,
    incomparable: Object.fromEntries(Object.entries(report.incomparable).filter(([, count]) => count > 0)),
    targets: Object.fromEntries(
      [...report.targets].map(([name, target]) => [name, { turns: target.turns, fields: mostFirst(target.fields) }]),
    ),
    noiseFields: mostFirst(report.noiseFields),
    requests: Object.entries(mostFirst(report.requests))
      .slice(0, REQUESTS_MAX)
      .map(([request, count]) => ({ request, turns: count })),
    slow: slow.slice(0, REQUESTS_MAX),
    differencesDropped,
  };
}

function mostFirst(sums: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...sums].sort(([, a], [, b]) => b - a));
}
