import { join } from 'node:path';
import type { LabBrowser, PageOptions, PageProblems } from './browser.js';

/** One plot of the page of a report, as it is drawn. */
export interface ReportPlot {
  readonly id: string;
  /** How many of its dots have a colour, percent. */
  readonly colouredPercent: number;
}

export interface ReportView {
  readonly plots: readonly ReportPlot[];
  readonly problems: PageProblems;
  /** Something stands out of the page to the right. */
  readonly isTooWide: boolean;
}

/** Runs in the page. */
const PLOTS = `[...document.querySelectorAll('.plot')].map((place) => {
  const canvas = place.querySelector('canvas');
  if (canvas === null || canvas.width === 0) return { id: place.id, colouredPercent: 0 };
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let coloured = 0;
  for (let at = 0; at < data.length; at += 4) {
    const dot = [data[at], data[at + 1], data[at + 2]];
    if (data[at + 3] > 128 && Math.max(...dot) - Math.min(...dot) > 60) coloured += 1;
  }
  return { id: place.id, colouredPercent: (100 * coloured * 4) / data.length };
})`;

/** Looks at the page of a report when its plots are drawn. Keeps a picture of it where TRAFFICCOPY_SCREENSHOTS names a directory. */
export async function viewReport(browser: LabBrowser, file: string, options: PageOptions = {}): Promise<ReportView> {
  return await browser.page(file, options, async (page, problems) => {
    await page.waitForFunction('document.documentElement.dataset.plots !== undefined');
    const { TRAFFICCOPY_SCREENSHOTS: directory } = process.env;
    if (directory !== undefined) {
      const name = `report-${options.isDark === true ? 'dark' : 'light'}-${options.widthPx ?? 1280}.png`;
      await page.screenshot({ path: join(directory, name), fullPage: true });
    }
    const plots: ReportPlot[] = await page.evaluate(PLOTS);
    const isTooWide: boolean = await page.evaluate(
      'document.documentElement.scrollWidth > document.documentElement.clientWidth',
    );
    return { plots, problems: [...problems], isTooWide };
  });
}
