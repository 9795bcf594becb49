import type { LoadFigures } from './load-report.js';
import { octetsText, timeText } from './load-rows.js';
import type { TargetReport } from './target-report.js';

/** As page/plots.ts draws it, and what is said of it to those who do not see it. */
export interface Plot {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly axis: 'time' | 'percentile';
  readonly unit: string;
  readonly x: readonly number[];
  /** Of the axis of time: how long each point stands for, seconds. */
  readonly span?: number;
  readonly series: readonly {
    readonly label: string;
    readonly values: readonly (number | null)[];
    readonly colour: number;
    readonly isDashed?: boolean;
  }[];
}

const US_PER_MS = 1000;

/** The plots of a target that have something to show. `index` makes their ids. */
export function targetPlots(target: TargetReport, { beganAtMs, spanMs }: LoadFigures, index: number): Plot[] {
  const { series, curve } = target;
  const { length } = series.requests;
  if (length === 0) return [];
  const x = Array.from({ length }, (_, span) => (beganAtMs + span * spanMs) / 1000);
  const perSecond = (counts: readonly number[]): number[] => counts.map((count) => (count * 1000) / spanMs);
  const inMs = (times: readonly (number | null)[]): (number | null)[] =>
    times.map((us) => (us === null ? null : us / US_PER_MS));
  const { firstOctet, lastOctet } = target;
  const plots: Plot[] = [];
  const add = (id: string, plot: Omit<Plot, 'id' | 'x' | 'axis' | 'span'>): void => {
    plots.push({ id: `${id}-${index}`, axis: 'time', x, span: spanMs / 1000, ...plot });
  };
  if (lastOctet.count > 0) {
    const { p50Us, p99Us, maxUs } = lastOctet;
    add('latency', {
      title: 'Latency over time',
      text: `To the last octet of each answer: ${timeText(p50Us)} at p50, ${timeText(p99Us)} at p99, ${timeText(maxUs)} at most, over the whole time.`,
      unit: 'ms',
      series: [
        { label: 'p50', values: inMs(series.p50Us), colour: 1 },
        { label: 'p99', values: inMs(series.p99Us), colour: 2 },
        { label: 'longest', values: inMs(series.maxUs), colour: 4, isDashed: true },
      ],
    });
    plots.push({
      id: `curve-${index}`,
      title: 'Latency by percentile',
      text: `So many of ${lastOctet.count.toLocaleString('en-US')} answers took no longer: first octet ${timeText(firstOctet.p50Us)} at p50 and ${timeText(firstOctet.p999Us)} at p99.9.`,
      axis: 'percentile',
      unit: 'ms',
      x: curve.map(([percentile]) => percentile),
      series: [
        { label: 'first octet', values: inMs(curve.map(([, first]) => first)), colour: 3, isDashed: true },
        { label: 'last octet', values: inMs(curve.map(([, , last]) => last)), colour: 1 },
      ],
    });
  }
  add('rate', {
    title: 'Requests and connections',
    text: `${target.requests.toLocaleString('en-US')} requests delivered over ${target.connections.toLocaleString('en-US')} connections.`,
    unit: 'per s',
    series: [
      { label: 'requests', values: perSecond(series.requests), colour: 1 },
      { label: 'connections', values: perSecond(series.connections), colour: 3, isDashed: true },
    ],
  });
  add('octets', {
    title: 'Octets',
    text: `${octetsText(target.requestOctets)} sent, ${octetsText(target.answerOctets)} answered.`,
    unit: 'B/s',
    series: [
      { label: 'answers', values: perSecond(series.answerOctets), colour: 1 },
      { label: 'requests', values: perSecond(series.requestOctets), colour: 2, isDashed: true },
    ],
  });
  const reasons = Object.entries(series.lost);
  if (reasons.length > 0) {
    add('lost', {
      title: 'Lost requests',
      text: `${target.requestsLost.toLocaleString('en-US')} in all: ${reasons.map(([reason, turns]) => `${reason} ${sum(turns).toLocaleString('en-US')}`).join(', ')}.`,
      unit: 'per s',
      series: reasons.map(([reason, turns], number) => ({
        label: reason,
        values: perSecond(turns),
        colour: 1 + (number % 6),
        isDashed: number % 2 === 1,
      })),
    });
  }
  return plots;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
