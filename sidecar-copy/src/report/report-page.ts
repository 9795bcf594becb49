/** The page of `--report`: one file of HTML with everything in it, which asks for nothing from anywhere. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LatencySection } from './latency-histogram.js';
import type { LoadFigures } from './load-report.js';
import { octetsText, timeText } from './load-rows.js';
import { PAGE_STYLE } from './page-style.js';
import { type Plot, targetPlots } from './target-plots.js';
import type { TargetReport } from './target-report.js';

/** Compiled from sidecar-copy/page, beside this one's folder. */
const PLOTS_SCRIPT = new URL('../../page/plots.js', import.meta.url);

export interface ReportFacts {
  readonly version: string;
  /** Times are intercept's, beside the target; otherwise the copy's own. */
  readonly isTakenAtTarget: boolean;
  /** False: -W. */
  readonly wait: boolean;
  readonly elapsedMs: number;
  readonly endReason: string;
}

/** Reads the parts of the page from the installation, and puts `load` into them. @throws the system's error */
export function reportPage(load: LoadFigures, facts: ReportFacts): string {
  const plots = load.targets.map((target, index) => targetPlots(target, load, index));
  const library = dirname(createRequire(import.meta.url).resolve('uplot/package.json'));
  const read = (...parts: string[]): string => readFileSync(join(...parts), 'utf8');
  const script = read(fileURLToPath(PLOTS_SCRIPT)).replace(/^\/\/# sourceMappingURL=.*$/m, '');
  const drawn = plots.flat().map(({ title: _title, text: _text, ...plot }) => plot);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>TrafficCopy: ${escaped(load.targets.map(({ name }) => name).join(', '))}</title>
<style>${read(library, 'dist/uPlot.min.css')}${PAGE_STYLE}</style>
</head>
<body>
<header>
<h1>How fast ${load.targets.length === 1 ? 'the target is' : 'the targets are'}</h1>
<p class="about">${escaped(aboutText(load, facts))}</p>
</header>
<main>
${load.targets.map((target, index) => section(target, plots[index]!, load)).join('\n')}
</main>
<footer>
${notes(load, facts)
  .map((note) => `<p>${escaped(note)}</p>`)
  .join('\n')}
</footer>
<script type="application/json" id="plots">${jsonText(drawn)}</script>
<!-- The plots are drawn by uPlot:
${escaped(read(library, 'LICENSE')).replaceAll('--', '- -')}
-->
<script>${read(library, 'dist/uPlot.iife.min.js')}</script>
<script type="module">${script}</script>
</body>
</html>
`;
}

function aboutText(
  { beganAtMs, targets, spanMs }: LoadFigures,
  { version, elapsedMs, endReason }: ReportFacts,
): string {
  const seconds = (elapsedMs / 1000).toFixed(1);
  const began = targets.some(({ series }) => series.requests.length > 0)
    ? `, began ${new Date(beganAtMs).toISOString()}`
    : '';
  return `TrafficCopy ${version}${began}, ran for ${seconds} s (end: ${endReason}), one point for ${spanMs / 1000} s`;
}

function notes({ targetsNotMeasured }: LoadFigures, { isTakenAtTarget, wait }: ReportFacts): string[] {
  return [
    'Times count from the last octet of a request to the first and the last octet of its answer.',
    isTakenAtTarget
      ? 'They were taken beside the target, when intercept injected the request and when it took the answer out of the target’s kernel: the network between the hosts is not in them.'
      : 'They were taken at the copy: the way to the target and back is in them.',
    ...(wait
      ? []
      : ['With -W requests do not wait for answers: times of requests that overtook an answer are missing.']),
    ...(targetsNotMeasured === 0 ? [] : [`${targetsNotMeasured} more targets were not measured: there are too many.`]),
  ];
}

function section(target: TargetReport, plots: readonly Plot[], load: LoadFigures): string {
  const id = `target-${load.targets.indexOf(target)}`;
  return `<section aria-labelledby="${id}">
<h2 id="${id}">${escaped(target.name)}</h2>
${cards(target, load)}
${plots.length === 0 ? '<p>Nothing was delivered to it.</p>' : `<div class="plots">${plots.map(figure).join('\n')}</div>`}
${target.lastOctet.count === 0 ? '' : timesTable(target)}
${plots.length === 0 ? '' : spansTable(target, load)}
</section>`;
}

function cards({ requests, requestsLost, lastOctet, series }: TargetReport, { spanMs }: LoadFigures): string {
  const seconds = (series.requests.length * spanMs) / 1000;
  const figures: [string, string, boolean][] = [
    ['requests', requests.toLocaleString('en-US'), false],
    ['requests/s, mean', seconds === 0 ? '–' : rate(requests / seconds), false],
    ['lost', requestsLost.toLocaleString('en-US'), requestsLost > 0],
    ...(lastOctet.count === 0
      ? []
      : ([
          ['p50', timeText(lastOctet.p50Us), false],
          ['p99', timeText(lastOctet.p99Us), false],
          ['p99.9', timeText(lastOctet.p999Us), false],
        ] satisfies [string, string, boolean][])),
  ];
  const card = ([label, value, isBad]: [string, string, boolean]): string =>
    `<div${isBad ? ' class="bad"' : ''}><dt>${escaped(label)}</dt><dd>${escaped(value)}</dd></div>`;
  return `<dl class="cards">${figures.map(card).join('')}</dl>`;
}

function figure({ id, title, text }: Plot): string {
  return `<figure><figcaption>${escaped(title)}<span>${escaped(text)}</span></figcaption><div class="plot" id="${id}"></div></figure>`;
}

function timesTable({ firstOctet, lastOctet }: TargetReport): string {
  const row = (label: string, { count, meanUs, p50Us, p90Us, p99Us, p999Us, maxUs }: LatencySection): string =>
    tableRow(label, [count.toLocaleString('en-US'), ...[p50Us, p90Us, p99Us, p999Us, maxUs, meanUs].map(timeText)]);
  return table(
    'Time to the first and last octet of answers',
    ['', 'answers', 'p50', 'p90', 'p99', 'p99.9', 'longest', 'mean'],
    [row('first octet', firstOctet), row('last octet', lastOctet)],
  );
}

function spansTable({ series }: TargetReport, { beganAtMs, spanMs }: LoadFigures): string {
  const time = (us: number | null | undefined): string => (us === null || us === undefined ? '–' : timeText(us));
  const rows = series.requests.map((requests, span) =>
    tableRow(new Date(beganAtMs + span * spanMs).toISOString().slice(0, 19).replace('T', ' '), [
      requests.toLocaleString('en-US'),
      series.connections[span]!.toLocaleString('en-US'),
      octetsText(series.requestOctets[span]!),
      octetsText(series.answerOctets[span]!),
      time(series.p50Us[span]),
      time(series.p99Us[span]),
      time(series.maxUs[span]),
      Object.values(series.lost)
        .reduce((lost, turns) => lost + turns[span]!, 0)
        .toLocaleString('en-US'),
    ]),
  );
  const heads = ['begin (UTC)', 'requests', 'connections', 'sent', 'answered', 'p50', 'p99', 'longest', 'lost'];
  return `<details><summary>The figures of the plots</summary>${table(`Each ${spanMs / 1000} s`, heads, rows)}</details>`;
}

function table(caption: string, heads: readonly string[], rows: readonly string[]): string {
  const head = heads.map((text) => (text === '' ? '<td></td>' : `<th scope="col">${escaped(text)}</th>`)).join('');
  return `<div class="scroll" tabindex="0" role="region" aria-label="${escaped(caption)}"><table><caption>${escaped(caption)}</caption><thead><tr>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

function tableRow(label: string, cells: readonly string[]): string {
  return `<tr><th scope="row">${escaped(label)}</th>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`;
}

function rate(perSecond: number): string {
  return perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond).toLocaleString('en-US');
}

/** Text between tags and in quotes. */
function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** JSON that no tag can end. */
function jsonText(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}
