/**
 * Memory that a program does not need any more goes back to the system: what only starting took, and what a burst took once nothing waits any more.
 * By themselves neither V8 nor the kernel do it. V8 collects when its heap has grown, never because nothing happens, and keeps the pages of what it collected; pages of
 * the program's files stay as long as there is room. A process that had a busy minute would stay as large for days.
 */

const CHECK_MS = 5000;
/** When what is loaded at the start is loaded, and certificates are made. */
const CHECKS_OF_START = 2;
/**
 * So much more than the least since the last time is a burst. To collect everything takes some 100 ms, which the capture buffer bears; the ups and downs of
 * steady traffic are smaller.
 */
const BURST_BYTES_MIN = 64 * 1024 * 1024;

export interface QuietMemoryOptions {
  /** Octets of the process that are in RAM. Default: as the system says. */
  readonly residentBytes?: () => number;
  /**
   * Collects all that is garbage and lets go of its pages, not at once. Default: V8's collector, where the runtime was asked to let us (`--expose-gc`), as
   * bin/trafficcopy does.
   */
  readonly collect?: (() => void) | undefined;
  /** Gives what the process has and does not use back to the system: pages of the program's files, what was freed. */
  readonly giveBackUnused: () => void;
  /** While something waits a burst is not over. */
  readonly isBusy?: () => boolean;
  /** Frees what the program holds for the next burst. */
  readonly freeSpare?: () => void;
}

export class QuietMemory {
  readonly #options: QuietMemoryOptions;
  readonly #residentBytes: () => number;
  readonly #collect: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #checks = 0;
  /** The least since the last collection. */
  #leastBytes = Number.POSITIVE_INFINITY;
  /** Collecting takes a while, and pages of its own: what is left over goes at the check that follows. */
  #isDue = false;

  constructor(options: QuietMemoryOptions) {
    this.#options = options;
    this.#residentBytes = options.residentBytes ?? (() => process.memoryUsage.rss());
    this.#collect = 'collect' in options ? options.collect : collectLater;
  }

  /** What is in RAM now is what a burst is measured by. */
  start(): void {
    this.#leastBytes = Math.min(this.#leastBytes, this.#residentBytes());
    this.#timer ??= setInterval(() => this.check(), CHECK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** What `start` does every few seconds. */
  check(): void {
    const { isBusy, freeSpare, giveBackUnused } = this.#options;
    this.#checks += 1;
    if (this.#isDue) {
      this.#isDue = false;
      giveBackUnused();
      return;
    }
    const bytes = this.#residentBytes();
    this.#leastBytes = Math.min(this.#leastBytes, bytes);
    if (this.#checks !== CHECKS_OF_START) {
      if (isBusy?.() === true || bytes - this.#leastBytes < BURST_BYTES_MIN) return;
      freeSpare?.();
      // What is left then is the least.
      this.#leastBytes = Number.POSITIVE_INFINITY;
    }
    this.#collect?.();
    this.#isDue = true;
  }
}

const { gc } = globalThis;
const collectLater =
  gc === undefined ? undefined : (): void => void gc({ type: 'major', execution: 'async', flavor: 'last-resort' });
