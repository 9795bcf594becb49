/** The longest time that setTimeout takes. */
const TIMER_MS_MAX = 2 ** 31 - 1;
/** One request often comes as several signals (to the process and to its group); later ones are a second request. */
/** A signal to all processes of a program reaches them one after the other. */
const OWN_SIGNAL_MS_MAX = 1000;
const SECOND_REQUEST_MS = 1000;

export interface StopRequestOptions {
  readonly durationMs: number | undefined;
  /** With a log file SIGHUP belongs to the log. */
  readonly hasLogFile: boolean;
}

/** How a program learns that it is to end: a signal, the end of `--duration`, or a reason of its own. */
export class StopRequest {
  /** Resolves once, with the reason: "SIGTERM", "SIGINT", "SIGHUP", "duration", or what `request` was given. */
  readonly requested: Promise<string>;
  readonly #resolve: (reason: string) => void;
  readonly #listeners: [NodeJS.Signals, () => void][] = [];
  #timer: NodeJS.Timeout | undefined;
  #reason: string | undefined;
  #requestedMs = 0;

  constructor(options: StopRequestOptions) {
    let resolveRequested: (reason: string) => void = () => {};
    this.requested = new Promise((resolve) => {
      resolveRequested = resolve;
    });
    this.#resolve = resolveRequested;
    this.#listen('SIGINT', () => this.#onSignal('SIGINT'));
    this.#listen('SIGTERM', () => this.#onSignal('SIGTERM'));
    // The terminal has gone. Without one (nohup, a service) there is nothing that could have: Node.js undoes nohup's
    // ignoring of the signal, so it is ignored here.
    if (!options.hasLogFile) {
      this.#listen('SIGHUP', () => {
        if (process.stderr.isTTY === true) this.request('SIGHUP');
      });
    }
    if (options.durationMs !== undefined) this.#arm(performance.now() + options.durationMs);
  }

  /** Why it is to end; undefined while it is not. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /**
   * Whether `error` is how a start ends that was to stop: a worker got the signal that this program got as well, or gets now.
   *
   * @param error what the start threw
   */
  async interrupted(error: unknown): Promise<boolean> {
    if ((error as { code?: unknown }).code !== 'ERR_START_INTERRUPTED') return false;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, OWN_SIGNAL_MS_MAX);
    });
    await Promise.race([this.requested, late]);
    clearTimeout(timer);
    return this.#reason !== undefined;
  }

  /** Asks for the end. Only the first reason counts. */
  request(reason: string): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#requestedMs = performance.now();
    this.#resolve(reason);
  }

  /** Gives the signals and the timer back. */
  close(): void {
    clearTimeout(this.#timer);
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
    this.#listeners.length = 0;
  }

  #listen(signal: NodeJS.Signals, listener: () => void): void {
    this.#listeners.push([signal, listener]);
    process.on(signal, listener);
  }

  #onSignal(signal: 'SIGINT' | 'SIGTERM'): void {
    // Whoever asks twice does not want to wait for an orderly end.
    if (this.#reason === undefined) this.request(signal);
    else if (performance.now() - this.#requestedMs > SECOND_REQUEST_MS) process.exit(signal === 'SIGINT' ? 130 : 143);
  }

  #arm(endMs: number): void {
    const leftMs = endMs - performance.now();
    if (leftMs <= 0) {
      this.request('duration');
      return;
    }
    this.#timer = setTimeout(() => this.#arm(endMs), Math.min(leftMs, TIMER_MS_MAX));
  }
}
