import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';

/** Debian's chromium-headless-shell. */
const EXECUTABLE = '/usr/bin/chromium-headless-shell';

export interface PageOptions {
  readonly widthPx?: number | undefined;
  readonly isDark?: boolean | undefined;
}

/** What went wrong in a page: errors, lines of the console, and everything that it asked the network for. */
export type PageProblems = readonly string[];

/** A real browser without windows. */
export class LabBrowser {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async open(): Promise<LabBrowser> {
    // Root has no user namespaces to lock a sandbox up in; what is opened is ours.
    return new LabBrowser(await chromium.launch({ executablePath: EXECUTABLE, chromiumSandbox: false }));
  }

  /** Opens a file, and shows the page to `work` when it has loaded. */
  async page<T>(
    file: string,
    { widthPx = 1280, isDark = false }: PageOptions,
    work: (page: Page, problems: PageProblems) => Promise<T>,
  ): Promise<T> {
    const viewport = { width: widthPx, height: 900 };
    const page = await this.#browser.newPage({ viewport, colorScheme: isDark ? 'dark' : 'light' });
    try {
      const problems: string[] = [];
      const url = pathToFileURL(file).href;
      page.on('pageerror', (error) => problems.push(`error: ${error.message}`));
      page.on('console', (message) => problems.push(`console, ${message.type()}: ${message.text()}`));
      page.on('request', (request) => {
        if (request.url() !== url && !request.url().startsWith('data:')) problems.push(`asked for ${request.url()}`);
      });
      await page.goto(url, { waitUntil: 'load' });
      return await work(page, problems);
    } finally {
      await page.close();
    }
  }

  async close(): Promise<void> {
    await this.#browser.close();
  }
}
