import type { Logger } from 'pino';

/**
 * Files of a run's result that could not be written. Each is an error in the log when it happens; the run goes on, and at its end the exit
 * code says that something is missing.
 */
export class UnwrittenFiles {
  readonly #logger: Pick<Logger, 'error'>;
  readonly #files = new Set<string>();

  constructor(logger: Pick<Logger, 'error'>) {
    this.#logger = logger;
  }

  /** `file` with its flag: "--report a.html"; `message` says why. */
  add(file: string, message: string): void {
    this.#files.add(file);
    this.#logger.error(message);
  }

  /** Why the end is a failure; undefined when all was written. */
  get problem(): string | undefined {
    if (this.#files.size === 0) return undefined;
    return `not all that was asked for is there: ${[...this.#files].join(', ')} could not be written, or not to the end`;
  }
}
