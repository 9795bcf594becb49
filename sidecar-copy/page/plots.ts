/**
 * Runs in the browser, in the page of a report: draws the plots from the figures in it. What the page shows without it are the same
 * figures, as tables. No imports: it is written into the page as it is compiled.
 */
import type uPlotType from 'uplot';

/** uPlot's own script stands before this one in the page. */
declare const uPlot: typeof uPlotType;

/** One line; `values` as long as the plot's `x`. */
interface PlotSeries {
  readonly label: string;
  readonly values: readonly (number | null)[];
  /** Which of the page's colours: --series-N. */
  readonly colour: number;
  readonly isDashed?: boolean;
}

interface Plot {
  readonly id: string;
  /** `time`: seconds since 1970; `percentile`: percent. */
  readonly axis: 'time' | 'percentile';
  readonly unit: string;
  readonly x: readonly number[];
  /** Of the axis of time: how long each point stands for, seconds. */
  readonly span?: number;
  readonly series: readonly PlotSeries[];
}

const HEIGHT_PX = 260;
/** A line of more points has no dots on it. */
const POINTS_MAX = 24;
const DAY_S = 86_400;
/** Between two marks of the axis of time. */
const TIME_STEPS_S = [
  1,
  2,
  5,
  10,
  15,
  30,
  60,
  120,
  300,
  600,
  900,
  1800,
  3600,
  7200,
  10_800,
  21_600,
  43_200,
  DAY_S,
  2 * DAY_S,
  7 * DAY_S,
];
/** Where a percentile stands: each further nine is as far from the one before. */
const NINES = [50, 90, 99, 99.9, 99.99, 99.999, 99.9999];

function placeOf(percentile: number): number {
  return -Math.log10(1 - percentile / 100);
}

/** Two or three digits that count, with the prefix that makes them short. */
function short(value: number): string {
  for (const [prefix, size] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    if (Math.abs(value) >= size) return `${Number((value / size).toPrecision(3))}${prefix}`;
  }
  return String(Number(value.toPrecision(3)));
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function seriesOptions({ label, colour: number, isDashed }: PlotSeries, unit: string): uPlotType.Series {
  const stroke = (): string => colour(`--series-${number}`);
  return {
    label,
    stroke,
    width: 2,
    ...(isDashed === true ? { dash: [7, 4] } : {}),
    // A single value between gaps has no line.
    points: { show: (self, index) => isSparse(self.data[index] ?? []), size: 6 },
    spanGaps: false,
    value: (_self, value) => (value === null ? '–' : `${short(value)} ${unit}`),
  };
}

function isSparse(values: ArrayLike<number | null | undefined>): boolean {
  return Array.from(values).filter((value) => value !== null && value !== undefined).length <= POINTS_MAX;
}

function percentText(place: number): string {
  return `${Number((100 * (1 - 10 ** -place)).toFixed(4))} %`;
}

/** UTC, as in the table: 12:30:05, with the date where there is more than one. */
function timeText(seconds: number, isLong: boolean): string {
  const text = new Date(seconds * 1000).toISOString();
  return isLong ? `${text.slice(5, 10)} ${text.slice(11, 16)}` : text.slice(11, 19);
}

function axisOptions(label: string): uPlotType.Axis {
  return {
    label,
    labelSize: 24,
    stroke: () => colour('--text'),
    grid: { stroke: () => colour('--line'), width: 1 },
    ticks: { stroke: () => colour('--line'), width: 1 },
  };
}

function options(plot: Plot, width: number): uPlotType.Options {
  const isTime = plot.axis === 'time';
  const first = plot.x[0] ?? 0;
  const last = plot.x.at(-1) ?? 0;
  const isLong = last - first > DAY_S;
  const xText = (value: number): string => (isTime ? timeText(value, isLong) : percentText(value));
  const x = axisOptions(isTime ? 'time (UTC)' : 'percentile');
  x.values = (_self, values) => values.map(xText);
  x.space = isLong ? 110 : 80;
  if (isTime) x.incrs = TIME_STEPS_S;
  else x.splits = () => NINES.map(placeOf).filter((place) => place <= placeOf(last));
  const half = (plot.span ?? 0) / 2;
  return {
    width,
    height: HEIGHT_PX,
    scales: {
      x: { time: false, ...(isTime ? { range: [first - half, last + half] } : {}) },
      y: { range: (_self, _low, high) => [0, high > 0 ? high * 1.05 : 1] },
    },
    axes: [x, { ...axisOptions(plot.unit), size: 64, values: (_self, values) => values.map(short) }],
    series: [
      { label: isTime ? 'time' : 'percentile', value: (_self, value) => (value === null ? '–' : xText(value)) },
      ...plot.series.map((series) => seriesOptions(series, plot.unit)),
    ],
    cursor: { points: { size: 7 } },
    legend: { live: true },
  };
}

function draw(plot: Plot): void {
  const place = document.getElementById(plot.id);
  if (place === null) return;
  const x = plot.axis === 'time' ? [...plot.x] : plot.x.map(placeOf);
  const data = [x, ...plot.series.map(({ values }) => [...values])] as unknown as uPlotType.AlignedData;
  const chart = new uPlot(options(plot, place.clientWidth), data, place);
  // The description and the table beneath say the same in words.
  for (const canvas of place.querySelectorAll('canvas')) canvas.setAttribute('aria-hidden', 'true');
  new ResizeObserver(() => {
    if (place.clientWidth > 0) chart.setSize({ width: place.clientWidth, height: HEIGHT_PX });
  }).observe(place);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => chart.redraw());
}

const plots = JSON.parse(document.getElementById('plots')?.textContent ?? '[]') as readonly Plot[];
for (const plot of plots) draw(plot);
document.documentElement.dataset['plots'] = String(plots.length);
