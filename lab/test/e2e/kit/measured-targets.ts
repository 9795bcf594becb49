import type { CopySummary } from '../../../src/index.js';

export interface MeasuredTimes {
  readonly count: number;
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
}

/** What tests read of a target that was measured. */
export interface MeasuredTarget {
  readonly name: string;
  readonly requests: number;
  readonly requestsLost: number;
  readonly connections: number;
  readonly firstOctet: MeasuredTimes;
  readonly lastOctet: MeasuredTimes;
  readonly series: { readonly spanMs: number; readonly requests: readonly number[] };
}

/** The targets of a copy that ran with --measure or --report. */
export function measuredTargets(summary: CopySummary): readonly MeasuredTarget[] {
  const { load } = summary as CopySummary & { readonly load?: { readonly targets: readonly MeasuredTarget[] } };
  return load?.targets ?? [];
}
