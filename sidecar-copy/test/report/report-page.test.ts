/** The page of a report, in a real browser. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { LabBrowser, type PageOptions, type ReportView, viewReport } from '@trafficcopy/lab';
import { LoadReport } from '../../src/report/load-report.js';
import { type ReportFacts, reportPage } from '../../src/report/report-page.js';

const FACTS: ReportFacts = {
  version: '0.1.0',
  isTakenAtTarget: true,
  wait: true,
  elapsedMs: 61_000,
  endReason: 'duration',
};
const SECONDS = 60;

const directory = mkdtempSync(join(tmpdir(), 'trafficcopy-report-'));
const browser = await LabBrowser.open();
after(async () => {
  await browser.close();
  rmSync(directory, { recursive: true, force: true });
});

/** A minute of two targets, the second of which is slower, and loses some. */
function minute(): LoadReport {
  const report = new LoadReport(Date.UTC(2026, 10, 28, 12));
  for (const [target, slowness] of [
    ['10.0.0.3:80', 1],
    ['10.0.0.4:80', 3],
  ] as const) {
    const meter = report.meterFor(target)!;
    for (let second = 0; second < SECONDS; second += 1) {
      const nowMs = second * 1000;
      meter.connected(nowMs);
      for (let turn = 0; turn < 200; turn += 1) {
        const us = slowness * (2000 + ((turn * 7919) % 200) ** 1.7 + 50 * second);
        meter.delivered(300, nowMs);
        meter.octets(8000, nowMs);
        meter.firstOctet(us * 0.8, nowMs);
        meter.lastOctet(us, nowMs);
      }
      if (slowness > 1 && second % 20 > 15) meter.lost(second % 2 === 0 ? 'targetReset' : 'noResponse', second, nowMs);
    }
  }
  return report;
}

function written(page: string): string {
  const file = join(directory, 'report.html');
  writeFileSync(file, page);
  return file;
}

/** The plots of a page that is as it should be. */
async function plotsOf(file: string, options: PageOptions = {}): Promise<ReportView['plots']> {
  const { plots, problems, isTooWide } = await viewReport(browser, file, options);
  assert.deepEqual(problems, []);
  assert.equal(isTooWide, false, 'nothing stands out of the page');
  return plots;
}

describe('the page of a report', () => {
  const file = written(reportPage(minute().figures(), FACTS));

  for (const options of [{}, { isDark: true }, { widthPx: 400 }] satisfies PageOptions[]) {
    it(`draws every plot, without an error or a request, ${JSON.stringify(options)}`, async () => {
      const plots = await plotsOf(file, options);
      assert.deepEqual(
        plots.map(({ id }) => id),
        [
          ...['latency-0', 'curve-0', 'rate-0', 'octets-0'],
          ...['latency-1', 'curve-1', 'rate-1', 'octets-1', 'lost-1'],
        ],
      );
      for (const { id, colouredPercent } of plots) {
        assert.ok(colouredPercent > 0.3, `${id}: ${colouredPercent} % of its dots have a colour`);
      }
    });
  }

  it('says the same in words: headings, tables with heads, a text for each plot', async () => {
    await browser.page(file, {}, async (page) => {
      assert.deepEqual(await page.locator('h2').allTextContents(), ['10.0.0.3:80', '10.0.0.4:80']);
      assert.equal(await page.locator('figure figcaption span').count(), 9);
      assert.equal(await page.getByRole('region', { name: 'Time to the first and last octet' }).count(), 2);
      await page.locator('summary').first().click();
      const rows = page.getByRole('region', { name: 'Each 1 s' }).first().locator('tbody tr');
      assert.equal(await rows.count(), SECONDS);
      assert.match((await rows.first().textContent()) ?? '', /2026-11-28 12:00:00.*200/);
      const canvas = page.locator('.plot canvas').first();
      assert.equal(await canvas.getAttribute('aria-hidden'), 'true');
    });
  });

  it('of a target with nothing says so, and has no plot', async () => {
    const report = new LoadReport(0);
    report.meterFor('10.0.0.3:80');
    const empty = written(reportPage(report.figures(), FACTS));
    assert.deepEqual(await plotsOf(empty), []);
    await browser.page(empty, {}, async (page) => {
      assert.equal(await page.getByText('Nothing was delivered to it.').count(), 1);
    });
  });

  it('takes names of targets for text, not for tags', async () => {
    const name = '</script><img src=x onerror="document.title=1">';
    const report = new LoadReport(0);
    report.meterFor(name)!.lost('shed', 1, 0);
    const hostile = written(reportPage(report.figures(), FACTS));
    assert.ok(!readFileSync(hostile, 'utf8').includes('<img'));
    assert.deepEqual(
      (await plotsOf(hostile)).map(({ id }) => id),
      ['rate-0', 'octets-0', 'lost-0'],
    );
    await browser.page(hostile, {}, async (page) => assert.equal(await page.locator('h2').textContent(), name));
  });
});
