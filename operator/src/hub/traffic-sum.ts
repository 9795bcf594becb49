/** The figures of one TrafficCopy, summed over its copies and over the processes that each copy was. */
import type { CopyReport } from '@trafficcopy/core';
import type { Traffic, TrafficLoss } from './traffic.js';

/** Figures that only grow. */
const TOTALS = [
  'connectionsSeen',
  'sessionsStarted',
  'turnsCaptured',
  'turnsDelivered',
  'turnsAnswered',
  'bytesSent',
  'captureDrops',
] as const satisfies readonly (keyof CopyReport)[];
type Totals = Record<(typeof TOTALS)[number], number>;

/** Reasons of loss that are told apart; what comes beyond is one of them together. */
const REASONS_MAX = 64;
const OTHER_REASON = 'other';
/** Rates are those of so long a time. */
const RATE_WINDOW_MS = 5000;
/** Shortest time between two samples: reports at a change of state come close together. */
const SAMPLE_GAP_MS = 500;
/** A copy that was silent for so long has nothing open, as far as anybody knows. */
const SILENCE_MS_MAX = 10_000;
/** A copy that was silent for so long does not come back: what it was is added up and its own figures are dropped. */
const GONE_MS = 3600 * 1000;

/** One pod's copy: its present process, as last heard of. */
interface CopyFigures {
  /** Names the process, where it says so. */
  readonly instance: string | undefined;
  report: CopyReport;
  /** Turns delivered at some times of the last seconds, oldest first. */
  readonly samples: { readonly atMs: number; readonly turns: number }[];
  heardMs: number;
}

export class TrafficSum {
  readonly #copies = new Map<string, CopyFigures>();
  readonly #ended = newTotals();
  readonly #endedLosses = new Map<string, number>();

  /** @param instance of the process, undefined where it does not name itself. */
  add(podUid: string, instance: string | undefined, report: CopyReport, nowMs: number): void {
    const known = this.#copies.get(podUid);
    if (known !== undefined && isSameProcess(known, instance, report)) {
      known.report = report;
      known.heardMs = nowMs;
      addSample(known.samples, report.turnsDelivered, nowMs);
      return;
    }
    if (known !== undefined) this.#end(known.report);
    const samples = [{ atMs: nowMs, turns: report.turnsDelivered }];
    this.#copies.set(podUid, { instance, report, samples, heardMs: nowMs });
  }

  /** Forgets whose copies are gone for good; their figures stay in the sums. */
  sweep(nowMs: number): void {
    for (const [podUid, { heardMs, report }] of this.#copies) {
      if (nowMs - heardMs < GONE_MS) continue;
      this.#copies.delete(podUid);
      this.#end(report);
    }
  }

  read(nowMs: number): Traffic {
    const totals = { ...this.#ended };
    const losses = new Map(this.#endedLosses);
    let sessionsOpen = 0;
    let turnsPending = 0;
    let turnsPerSecond = 0;
    for (const { report, samples, heardMs } of this.#copies.values()) {
      addTotals(totals, report);
      addLosses(losses, report);
      turnsPending = sum(turnsPending, report.turnsPending);
      if (nowMs - heardMs > SILENCE_MS_MAX) continue;
      sessionsOpen = sum(sessionsOpen, report.sessionsOpen);
      turnsPerSecond += rateOf(samples);
    }
    const { connectionsSeen: connections, ...others } = totals;
    const turnsLost = Array.from(losses.values()).reduce(sum, 0);
    return {
      connections,
      ...others,
      sessionsOpen,
      turnsPending,
      turnsLost,
      turnsPerSecond: Math.round(turnsPerSecond),
      lostPercent: percentText(turnsLost, turnsLost + totals.turnsDelivered),
      losses: sortedLosses(losses),
    };
  }

  /** A process is over: what it had not delivered it never will. */
  #end(report: CopyReport): void {
    addTotals(this.#ended, report);
    addLosses(this.#endedLosses, report);
    if (report.turnsPending > 0) addLoss(this.#endedLosses, 'interrupted', report.turnsPending);
  }
}

/** A process's own time and counts never go back. */
function isSameProcess(known: CopyFigures, instance: string | undefined, report: CopyReport): boolean {
  if (known.instance !== instance) return false;
  return report.elapsedMs >= known.report.elapsedMs && report.turnsCaptured >= known.report.turnsCaptured;
}

function addSample(samples: { atMs: number; turns: number }[], turns: number, atMs: number): void {
  if (atMs - (samples.at(-1)?.atMs ?? 0) < SAMPLE_GAP_MS) return;
  samples.push({ atMs, turns });
  // The oldest may be a little older than the window, so that there always is one.
  while (samples.length > 2 && samples[1]!.atMs <= atMs - RATE_WINDOW_MS) samples.shift();
}

function rateOf(samples: readonly { readonly atMs: number; readonly turns: number }[]): number {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
  return Math.max(0, (1000 * (last.turns - first.turns)) / (last.atMs - first.atMs));
}

function newTotals(): Totals {
  return Object.fromEntries(TOTALS.map((name) => [name, 0])) as Totals;
}

function addTotals(totals: Totals, report: CopyReport): void {
  for (const name of TOTALS) totals[name] = sum(totals[name], report[name]);
}

function addLosses(losses: Map<string, number>, report: CopyReport): void {
  for (const [reason, turns] of Object.entries(report.turnsLost)) if (turns > 0) addLoss(losses, reason, turns);
}

function addLoss(losses: Map<string, number>, reason: string, turns: number): void {
  const name = losses.has(reason) || losses.size < REASONS_MAX ? reason : OTHER_REASON;
  losses.set(name, sum(losses.get(name) ?? 0, turns));
}

/** Counts that a copy made up must not become anything but a count. */
function sum(a: number, b: number): number {
  return Math.min(a + b, Number.MAX_SAFE_INTEGER);
}

function sortedLosses(losses: ReadonlyMap<string, number>): TrafficLoss[] {
  return Array.from(losses, ([reason, turns]) => ({ reason, turns })).sort(
    (a, b) => b.turns - a.turns || (a.reason < b.reason ? -1 : 1),
  );
}

/** Two digits; what is more than nothing never reads as nothing. */
function percentText(part: number, whole: number): string {
  if (part === 0 || whole === 0) return '0';
  return Math.max(0.01, (100 * part) / whole).toFixed(2);
}
