import { setTimeout as delay } from 'node:timers/promises';
import type { LabProcess } from '../lab-process.js';
import type { Stage } from './stage.js';

const REFRESH_MS = 400;
const BARS = 36;
const EIGHTHS = '▁▂▃▄▅▆▇█';

/** The processes that are watched. */
export interface WatchedParts {
  readonly online: LabProcess;
  readonly target: LabProcess;
  readonly copy?: LabProcess | undefined;
  readonly intercept?: LabProcess | undefined;
}

interface Reading {
  readonly atMs: number;
  readonly online: number;
  readonly target: number;
  readonly copyMs: number;
  readonly interceptMs: number;
}

/** What both services count and what the programs cost while a load runs, taken from outside. */
export class LiveView {
  readonly #stage: Stage;
  readonly #parts: WatchedParts;
  /** Requests a second that fill a bar. */
  readonly #rateMax: number;
  readonly #rates: Record<'online' | 'target', number[]> = { online: [], target: [] };

  constructor(stage: Stage, parts: WatchedParts, rateMax: number) {
    this.#stage = stage;
    this.#parts = parts;
    this.#rateMax = rateMax;
  }

  /** Shows it until `load` is done; returns what the load returns. */
  async during<T>(load: Promise<T>): Promise<T> {
    let isRunning = true;
    const done = load.finally(() => {
      isRunning = false;
    });
    const start = await this.#read();
    let before = start;
    while (isRunning) {
      await Promise.race([delay(REFRESH_MS), done.catch(() => {})]);
      const now = await this.#read();
      this.#show(start, before, now);
      before = now;
    }
    return done;
  }

  async #read(): Promise<Reading> {
    const requests = async (service: LabProcess): Promise<number> =>
      (await service.ask<{ requests: number }>('totals')).requests;
    const { online, target, copy, intercept } = this.#parts;
    const [atOnline, atTarget] = await Promise.all([requests(online), requests(target)]);
    return {
      atMs: performance.now(),
      online: atOnline,
      target: atTarget,
      copyMs: copy?.cpuMs() ?? 0,
      interceptMs: intercept?.cpuMs() ?? 0,
    };
  }

  #show(start: Reading, before: Reading, now: Reading): void {
    const perSecond = 1000 / Math.max(1, now.atMs - before.atMs);
    const lines = [this.#line('online', 'cyan', (now.online - before.online) * perSecond)];
    if (this.#parts.copy === undefined) {
      lines.push(`         ${count(now.online - start.online)} requests`);
    } else {
      const share = (ms: number): string => `${(ms * perSecond * 0.1).toFixed(0).padStart(3)} %`;
      lines.push(
        this.#line('target', 'green', (now.target - before.target) * perSecond),
        `         copied ${count(now.target - start.target)} of ${count(now.online - start.online)}   ` +
          `CPU: copy ${share(now.copyMs - before.copyMs)}, intercept ${share(now.interceptMs - before.interceptMs)} of a processor`,
      );
    }
    this.#stage.live(lines);
  }

  #line(name: 'online' | 'target', colour: 'cyan' | 'green', rate: number): string {
    const rates = this.#rates[name];
    rates.push(rate);
    if (rates.length > BARS) rates.shift();
    const bar = (one: number): string => EIGHTHS[Math.min(7, Math.max(0, Math.floor((one / this.#rateMax) * 8)))]!;
    const bars = rates.map(bar).join('').padStart(BARS);
    return `         ${name}  ${this.#stage.style(colour, bars)}  ${count(rate)} requests/s`;
  }
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US').padStart(7);
}
