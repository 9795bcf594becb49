import type { SummaryRow } from '@trafficcopy/runtime';
import type { LatencySection } from './latency-histogram.js';
import type { TargetReport } from './target-report.js';

/** What was measured of a target, for the table at the end. */
export function loadRows(target: TargetReport): SummaryRow[] {
  const { firstOctet, lastOctet, series, requests, connections, requestOctets, answerOctets } = target;
  return [
    { label: 'requests delivered', value: requests },
    ...(target.requestsLost === 0 ? [] : [{ label: 'requests lost', value: target.requestsLost }]),
    { label: 'connections', value: connections },
    { label: 'answers measured', value: lastOctet.count },
    ...timeRows('first octet of the answer', firstOctet),
    ...timeRows('last octet of the answer', lastOctet),
    ...rateRow('requests', series.requests, series.spanMs, count),
    ...rateRow('connections', series.connections, series.spanMs, count),
    ...rateRow('octets sent', series.requestOctets, series.spanMs, octetsText),
    ...rateRow('octets answered', series.answerOctets, series.spanMs, octetsText),
    { label: 'sent, answered', value: `${octetsText(requestOctets)}, ${octetsText(answerOctets)}` },
  ];
}

function timeRows(label: string, times: LatencySection): SummaryRow[] {
  if (times.count === 0) return [];
  const { p50Us, p90Us, p99Us, p999Us, maxUs } = times;
  return [
    { label: `${label}, p50`, value: timeText(p50Us) },
    { label: '  p90', value: timeText(p90Us) },
    { label: '  p99', value: timeText(p99Us) },
    { label: '  p99.9', value: timeText(p999Us) },
    { label: '  longest', value: timeText(maxUs) },
  ];
}

/** A mean over the whole time, and the largest of one span. */
function rateRow(
  what: string,
  series: readonly number[],
  spanMs: number,
  text: (perSecond: number) => string,
): SummaryRow[] {
  if (series.length === 0) return [];
  const total = series.reduce((sum, number) => sum + number, 0);
  if (total === 0) return [];
  const perSecond = 1000 / spanMs;
  const mean = text((total / series.length) * perSecond);
  const most = text(Math.max(...series) * perSecond);
  return [{ label: `${what}/s, mean and most`, value: `${mean}, ${most}` }];
}

function count(number: number): string {
  return number < 10 ? number.toFixed(1) : Math.round(number).toLocaleString('en-US');
}

/** Three digits that count. */
export function timeText(us: number): string {
  if (us < 1000) return `${us} us`;
  if (us < 1_000_000) return `${digits(us / 1000)} ms`;
  return `${digits(us / 1_000_000)} s`;
}

export function octetsText(octets: number): string {
  for (const [unit, size] of [
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
  ] as const) {
    if (octets >= size) return `${digits(octets / size)} ${unit}`;
  }
  return `${Math.round(octets)} B`;
}

function digits(number: number): string {
  return number >= 100 ? Math.round(number).toLocaleString('en-US') : number.toPrecision(3);
}
