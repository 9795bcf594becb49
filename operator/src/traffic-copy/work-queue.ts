import { retryDelayMs } from '../kube/index.js';

export interface WorkQueueOptions {
  /** Does what is to be done about a key. Rejecting means: again, later. */
  readonly work: (key: string) => Promise<void>;
  readonly onFailure: (key: string, error: Error) => void;
  /** Keys that are worked on at a time. A key is never worked on twice at a time. */
  readonly concurrency: number;
  /** A key is not begun again sooner than this after it was begun, so that many changes become one piece of work. */
  readonly intervalMsMin: number;
  /** ms, monotonic. */
  readonly now?: (() => number) | undefined;
  readonly random?: (() => number) | undefined;
}

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 60_000;

/** What a key waits for: a time, as the queue's clock says it. */
interface Entry {
  dueMs: number;
  failures: number;
  begunMs: number;
  isWorking: boolean;
  /** Something changed while it was worked on. */
  isDirty: boolean;
  isWaiting: boolean;
}

/**
 * Keys to be worked on, each once however often it is added. A key that is added while it is worked on is worked on again afterwards; one whose work
 * failed comes back later, and later with every failure in a row.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();
  #working = 0;
  #timer: NodeJS.Timeout | undefined;
  #isRunning = false;
  #idle: (() => void)[] = [];

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Keys that wait to be worked on and are due. */
  get depth(): number {
    const nowMs = this.#now();
    let count = 0;
    for (const entry of this.#entries.values()) if (entry.isWaiting && entry.dueMs <= nowMs) count += 1;
    return count;
  }

  start(): void {
    this.#isRunning = true;
    this.#schedule();
  }

  /** Begins nothing more; resolves when what was begun has ended. Forgets all keys. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#working > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    this.#entries.clear();
  }

  /** As soon as possible. */
  add(key: string): void {
    this.addAfter(key, 0);
  }

  /** In `delayMs`, or sooner when somebody else wants it sooner. */
  addAfter(key: string, delayMs: number): void {
    const nowMs = this.#now();
    const entry = this.#entryOf(key);
    const dueMs = Math.max(nowMs + delayMs, entry.begunMs + this.#options.intervalMsMin);
    if (entry.isWorking) {
      entry.dueMs = entry.isDirty ? Math.min(entry.dueMs, dueMs) : dueMs;
      entry.isDirty = true;
      return;
    }
    entry.dueMs = entry.isWaiting ? Math.min(entry.dueMs, dueMs) : dueMs;
    entry.isWaiting = true;
    this.#schedule();
  }

  #entryOf(key: string): Entry {
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const begunMs = Number.NEGATIVE_INFINITY;
    const entry = { dueMs: 0, failures: 0, begunMs, isWorking: false, isDirty: false, isWaiting: false };
    this.#entries.set(key, entry);
    return entry;
  }

  #schedule(): void {
    if (!this.#isRunning) return;
    clearTimeout(this.#timer);
    let nextMs = Number.POSITIVE_INFINITY;
    for (const entry of this.#entries.values()) if (entry.isWaiting) nextMs = Math.min(nextMs, entry.dueMs);
    if (nextMs === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#begin(), Math.max(0, Math.ceil(nextMs - this.#now())));
  }

  /** Begins what is due, the longest due first, as far as there is room. */
  #begin(): void {
    const nowMs = this.#now();
    const due = [...this.#entries].filter(([, entry]) => entry.isWaiting && entry.dueMs <= nowMs);
    due.sort(([, one], [, other]) => one.dueMs - other.dueMs);
    for (const [key, entry] of due) {
      if (this.#working >= this.#options.concurrency) return;
      void this.#work(key, entry, nowMs);
    }
    this.#schedule();
  }

  /** Never rejects. */
  async #work(key: string, entry: Entry, nowMs: number): Promise<void> {
    entry.isWaiting = false;
    entry.isWorking = true;
    entry.isDirty = false;
    entry.begunMs = nowMs;
    this.#working += 1;
    let retryMs: number | undefined;
    try {
      await this.#options.work(key);
      entry.failures = 0;
    } catch (error) {
      this.#options.onFailure(key, error as Error);
      const random = (this.#options.random ?? Math.random)();
      retryMs = retryDelayMs(entry.failures, RETRY_MS_MIN, RETRY_MS_MAX, random);
      entry.failures += 1;
    }
    this.#working -= 1;
    entry.isWorking = false;
    this.#settle(key, entry, retryMs);
    if (this.#working === 0) for (const resolve of this.#idle.splice(0)) resolve();
    if (this.#isRunning) this.#begin();
  }

  #settle(key: string, entry: Entry, retryMs: number | undefined): void {
    const retryAtMs = retryMs === undefined ? Number.POSITIVE_INFINITY : this.#now() + retryMs;
    if (entry.isDirty) {
      // What failed is not tried at once only because something changed: that would be a loop without a brake.
      entry.dueMs = retryMs === undefined ? entry.dueMs : Math.max(entry.dueMs, retryAtMs);
      entry.isWaiting = true;
    } else if (retryMs !== undefined) {
      entry.dueMs = retryAtMs;
      entry.isWaiting = true;
    } else if (this.#entries.get(key) === entry) {
      entry.isWaiting = false;
      // Only to keep the interval; it is forgotten with the next key that is added after it.
      this.#forgetLater(key, entry);
    }
  }

  #forgetLater(key: string, entry: Entry): void {
    const timer = setTimeout(() => {
      const isIdle = !entry.isWaiting && !entry.isWorking && this.#entries.get(key) === entry;
      if (isIdle) this.#entries.delete(key);
    }, this.#options.intervalMsMin);
    timer.unref();
  }
}
