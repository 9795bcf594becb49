/** What is measured of a target agrees with the target's own log. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CopySummary, LabBrowser, type LabProcess, runWrk, TRAFFIC_COPY, viewReport } from '../../../src/index.js';
import { CopyLab, ONLINE_PORT, TARGET_PORT } from '../kit/copy-lab.js';
import { type MeasuredTarget, measuredTargets } from '../kit/measured-targets.js';

const CONNECTIONS = 20;
const SECONDS = 2;
const DELAY_MS_MAX = 50;
/** Beside the target; and with the way between two hosts on one busy machine, and both programs' loops, in it. */
const AGREE_US = 1000;
const AGREE_WITH_WAY_US = 5000;
/** A 99th percentile that is so far beyond the longest delay is the machine's doing. */
const LATE_US = 1500;
const RUNS_MAX = 5;

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]!;
}

/** Expects that what was measured and what the target logged agree, at p50 and at p99. */
function expectSame({ measured, logged }: Run, agreeUs: number): void {
  // wrk ends without the last answer of each of its connections, and so does the copy.
  for (const { count } of [measured.firstOctet, measured.lastOctet]) {
    assert.ok(count <= logged.length && count >= logged.length - CONNECTIONS, `${count} of ${logged.length} measured`);
  }
  for (const what of ['firstOctet', 'lastOctet'] as const) {
    for (const [name, share] of [
      ['p50Us', 0.5],
      ['p99Us', 0.99],
    ] as const) {
      const here = measured[what][name];
      const there = percentile(logged, share);
      assert.ok(Math.abs(here - there) <= agreeUs, `${what}, ${name}: measured ${here} us, logged ${there} us`);
    }
  }
}

/** Expects a page with every plot of one target, none of them empty. */
async function expectPage(file: string): Promise<void> {
  const browser = await LabBrowser.open();
  try {
    const { plots, problems } = await viewReport(browser, file);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      plots.map(({ id }) => id),
      ['latency-0', 'curve-0', 'rate-0', 'octets-0'],
    );
    for (const { id, colouredPercent } of plots) assert.ok(colouredPercent > 0.01, `${id}: ${colouredPercent} %`);
  } finally {
    await browser.close();
  }
}

/** All threads of a process run whenever they can, before those with a smaller number and before everybody else. */
async function goFirst(copyLab: CopyLab, pid: number, priority: number): Promise<void> {
  await copyLab.target.expect('chrt', ['--all-tasks', '--fifo', '--pid', String(priority), String(pid)]);
}

interface Run {
  readonly measured: MeasuredTarget;
  readonly logged: readonly number[];
  readonly report: string;
}

function startTarget(copyLab: CopyLab): Promise<LabProcess> {
  return copyLab.target.program('slow-service', { port: TARGET_PORT, 'delay-ms-max': DELAY_MS_MAX });
}

/** wrk at online, whose clients wait a little longer than those of the target. */
async function wrkAtOnline(copyLab: CopyLab): Promise<void> {
  const url = `http://${copyLab.online.ipv4}:${ONLINE_PORT}/`;
  const wrk = await runWrk(copyLab.client, { url, connections: CONNECTIONS, seconds: SECONDS, isYielding: true });
  assert.equal(wrk.errors, 0);
}

async function runOf(summary: CopySummary, target: LabProcess, report: string): Promise<Run> {
  assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
  const [measured] = measuredTargets(summary);
  assert.ok(measured);
  assert.equal(measured.requests, summary.turns.delivered);
  return { measured, logged: await target.ask<number[]>('times'), report };
}

/** What wrk sends to online is recorded, and replayed from there over ordinary connections. */
async function replayWrk(copyLab: CopyLab): Promise<Run> {
  const [report, summary] = ['report.html', 'summary.json'].map((name) => join(copyLab.online.directory, name));
  const sniffer = await copyLab.online.sniff(`tcp port ${ONLINE_PORT}`, { isWhole: true });
  await wrkAtOnline(copyLab);
  await sniffer.stop();
  const target = await startTarget(copyLab);
  await goFirst(copyLab, target.pid, 30);
  const map = `${ONLINE_PORT}-${copyLab.targetEndpoint(TARGET_PORT)}`;
  const copy = await copyLab.online.start('copy', TRAFFIC_COPY, [
    ...['copy', '-x', map, '-i', sniffer.file, '--connect', '--state', join(copyLab.online.directory, 'state')],
    ...['--report', report!, '--summary', summary!],
  ]);
  await goFirst(copyLab, copy.pid, 10);
  await copy.expectEnd(60_000, [0]);
  return await runOf(JSON.parse(readFileSync(summary!, 'utf8')) as CopySummary, target, report!);
}

/** Two hosts with slow services, wrk at online: the times of the target, measured and logged. */
async function forwardWrk(copyLab: CopyLab, flags: readonly string[]): Promise<Run> {
  const report = join(copyLab.online.directory, 'report.html');
  const target = await startTarget(copyLab);
  await copyLab.listenForLeaks();
  await copyLab.startIntercept();
  await copyLab.startCopy({ flags: ['--report', report, ...flags] });
  // What a busy machine does to one of them would be in one of the two figures only.
  await goFirst(copyLab, target.pid, 30);
  await goFirst(copyLab, copyLab.intercept.process.pid, 20);
  await goFirst(copyLab, copyLab.copy.process.pid, 10);
  await wrkAtOnline(copyLab);
  return await runOf(await copyLab.finish(), target, report);
}

/**
 * Measures, looks at the page, and compares. Where the whole machine stood still for a moment, which the target's own log tells by
 * timers that were late, two clocks cannot agree about it, and it is done again.
 */
async function compare(
  delivery: 'tunnel' | 'direct',
  agreeUs: number,
  measure: (copyLab: CopyLab) => Promise<Run>,
): Promise<void> {
  for (let round = 1; ; round += 1) {
    const isOver = await CopyLab.with({ delivery }, async (copyLab) => {
      await copyLab.online.program('slow-service', { port: ONLINE_PORT, 'delay-ms-min': 30, 'delay-ms-max': 60 });
      const run = await measure(copyLab);
      await expectPage(run.report);
      const lateUs = percentile(run.logged, 0.99) - DELAY_MS_MAX * 1000;
      if (lateUs > LATE_US && round < RUNS_MAX) return false;
      expectSame(run, agreeUs);
      return true;
    });
    if (isOver) return;
  }
}

test('tunnel: the latencies of a slow target are those of its own log, within 1 ms, with wrk at online', () =>
  compare('tunnel', AGREE_US, (copyLab) => forwardWrk(copyLab, [])));

test('with workers, whose measurements are added up: the same', () =>
  compare('tunnel', AGREE_US, (copyLab) => forwardWrk(copyLab, ['--threads', '2'])));

test('direct: the way there and back is in them', () =>
  compare('direct', AGREE_WITH_WAY_US, (copyLab) => forwardWrk(copyLab, [])));

test('a recording, over ordinary connections: the way there and back is in them', () =>
  compare('tunnel', AGREE_WITH_WAY_US, replayWrk));
