/** The pages of docs/uses: every command as it stands there, and what the page promises. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type CopySummary, Lab, LabBrowser, type LabHost, Nginx, Redis, viewReport } from '../../src/index.js';
import { type MeasuredTarget, measuredTargets } from './kit/measured-targets.js';
import { readPage, UsePage, type UseRun } from './kit/use-page.js';

const PORT = 80;

/** What is read of the summary's `comparison`. */
interface Comparison {
  readonly turns: number;
  readonly different: number;
  readonly incomparable: Readonly<Record<string, number>>;
  readonly targets: Readonly<Record<string, { readonly turns: number }>>;
}

function summaryOf(run: UseRun, host: LabHost, name: string): CopySummary {
  const summary = JSON.parse(readFileSync(run.file(host, name), 'utf8')) as CopySummary;
  const { captured, delivered, lost, pending } = summary.turns;
  assert.deepEqual([delivered, lost, pending], [captured, 0, 0], JSON.stringify(summary.turns));
  return summary;
}

/** The one target of a summary; every request was measured but `others` at most. */
function targetOf(summary: CopySummary, others = 0): MeasuredTarget {
  const [target, ...more] = measuredTargets(summary);
  assert.ok(target);
  assert.deepEqual(more, []);
  assert.equal(target.requests, summary.turns.delivered);
  assert.ok(target.lastOctet.count >= target.requests - others, `${target.lastOctet.count} of ${target.requests}`);
  return target;
}

/** A load that is over within a second is a point in each plot. */
async function expectPlots(file: string): Promise<void> {
  const browser = await LabBrowser.open();
  try {
    const { plots, problems } = await viewReport(browser, file);
    assert.deepEqual(problems, []);
    assert.ok(plots.length >= 4 && plots.every(({ colouredPercent }) => colouredPercent > 0.01), JSON.stringify(plots));
  } finally {
    await browser.close();
  }
}

test('each page is in the list, and each of its blocks says where it runs', () => {
  const links = [...readPage('README.md').matchAll(/\]\((?<page>[a-z-]+\.md)\)/g)].map(
    ({ groups }) => groups!['page']!,
  );
  assert.equal(new Set(links).size, 7);
  for (const page of links) {
    const fences = readPage(page).match(/^```\S.*$/gm) ?? [];
    assert.ok(fences.length >= 4);
    for (const fence of fences) assert.match(fence, /^```sh (client|online|target)( stays)?$/);
  }
});

test('stress test: a recording is replayed twice at a rate, and ends with a report', () =>
  Lab.with({}, async (lab) => {
    await Nginx.start(lab.online, { port: PORT });
    const target = await Nginx.start(lab.target, { port: PORT });
    const run = await new UsePage(lab).run('stress-test.md');
    const summary = summaryOf(run, lab.online, 'stress.json');
    assert.equal(summary.turns.delivered, 2000);
    assert.equal(targetOf(summary).requests, 2000);
    assert.equal((await target.requests()).length, 2000);
    await expectPlots(run.file(lab.online, 'stress.html'));
  }));

test('test before release: the new version gets every request of production, and production notices nothing', () =>
  Lab.with({}, async (lab) => {
    await Nginx.start(lab.online, { port: PORT });
    const target = await Nginx.start(lab.target, { port: PORT, responseBytes: 700 });
    const run = await new UsePage(lab).run('test-before-release.md');
    assert.equal(summaryOf(run, lab.online, 'release.json').turns.delivered, 2000);
    const requests = await target.requests();
    assert.equal(requests.length, 2000);
    assert.ok(requests.every(({ client, status }) => client.startsWith(`${lab.client.ipv4}:`) && status === 200));
    assert.match(run.outputs[0]!, /Failed requests: +0\n/);
    assert.match(run.outputs.at(-1)!, /"lost": 0,[\s\S]*"targetReset": 0/);
  }));

test('comparison: both get the same, the successor’s answers are named, and both have a section', () =>
  Lab.with({}, async (lab) => {
    await lab.online.program('http-service', { port: PORT });
    await lab.target.program('http-service', { port: 8080 });
    await lab.target.program('http-service', { port: 8081, version: 2 });
    const run = await new UsePage(lab).run('comparison.md');
    const summary = summaryOf(run, lab.online, 'comparison.json') as CopySummary & { readonly comparison: Comparison };
    const requests = measuredTargets(summary).map((target) => [target.name, target.requests]);
    assert.deepEqual(requests, [
      ['10.77.0.3:8080', 500],
      ['10.77.0.3:8081', 500],
    ]);
    const { turns, different, targets, incomparable } = summary.comparison;
    // Every answer of the successor has other fields.
    assert.deepEqual({ turns, different, incomparable }, { turns: 500, different: 500, incomparable: {} });
    assert.equal(targets['10.77.0.3:8081']?.turns, different);
    assert.equal(targets['10.77.0.3:8080']?.turns ?? 0, 0);
    assert.match(run.outputs.at(-1)!, /"request":"GET \/products\/7/);
    await expectPlots(run.file(lab.online, 'comparison.html'));
  }));

test('the maximum: a ramp brings up to ten of each connection, from addresses of their own', () =>
  Lab.with({}, async (lab) => {
    await Nginx.start(lab.online, { port: PORT });
    const target = await Nginx.start(lab.target, { port: PORT });
    const run = await new UsePage(lab).run('maximum.md');
    const summary = summaryOf(run, lab.online, 'maximum.json');
    const requests = await target.requests();
    assert.equal(requests.length, summary.turns.delivered);
    assert.ok(requests.length > 250, `more than production had: ${requests.length}`);
    assert.ok(requests.length < 2500, `not ten times from the start on: ${requests.length}`);
    assert.ok(requests.every(({ client }) => client.startsWith('10.77.128.')));
    assert.equal(targetOf(summary).requests, requests.length);
    await expectPlots(run.file(lab.online, 'maximum.html'));
  }));

test('a load tool: the times are the target’s, not those of online', () =>
  Lab.with({}, async (lab) => {
    await Nginx.start(lab.online, { port: PORT });
    const service = await lab.target.program('slow-service', { port: PORT });
    const run = await new UsePage(lab).run('load-tool.md');
    const target = targetOf(summaryOf(run, lab.online, 'latency.json'));
    const logged = await service.ask<number[]>('times');
    assert.deepEqual([target.requests, logged.length], [600, 600]);
    assert.ok(target.firstOctet.p50Us >= 5000);
    await expectPlots(run.file(lab.online, 'latency.html'));
  }));

test('hot standby: the target has what online had, and answers clients when online is gone', () =>
  Lab.with({}, async (lab) => {
    await Redis.start(lab.online, 6379);
    const standby = await Redis.start(lab.target, 6379);
    const run = await new UsePage(lab).run('hot-standby.md');
    summaryOf(run, lab.online, 'standby.json');
    const [, atOnline = '', , atTarget = ''] = run.outputs;
    const keys = Number(atTarget);
    assert.ok(keys > 100, atTarget);
    assert.match(atOnline, new RegExp(`^${keys}$`, 'm'));
    assert.equal(Number(await standby.command('dbsize')), keys);
  }));

test('drills: an outage of the target is seen, nothing is lost by it, and production notices nothing', () =>
  Lab.with({}, async (lab) => {
    await lab.online.program('slow-service', { port: PORT, 'delay-ms-min': 20, 'delay-ms-max': 40 });
    await Nginx.start(lab.target, { port: PORT });
    const run = await new UsePage(lab).run('drills.md');
    const target = targetOf(summaryOf(run, lab.online, 'drill.json'), 10);
    assert.ok(target.lastOctet.maxUs >= 1_000_000, `the outage shows: ${target.lastOctet.maxUs} us`);
    const wrk = run.outputs.find((output) => output.includes('Running'))!;
    assert.ok(!/Socket errors|Non-2xx/.test(wrk), wrk);
    await expectPlots(run.file(lab.online, 'drill.html'));
  }));
