/**
 * The log of a program. To a file or a pipe it is JSON, one object a line; on a terminal it is lines for people, written
 * above the status line. Writing never blocks the data path: what the reader does not take in time is dropped.
 */
import { closeSync, openSync } from 'node:fs';
import { type Logger, pino } from 'pino';
import type { ProgramConfig } from '../cli/program-flags.js';
import { StartError } from '../errors/start-error.js';
import type { StatusLine } from '../terminal/status-line.js';
import { formatLogLine } from './log-line.js';

/** Octets of log that may wait for a slow file or pipe; further lines are dropped until there is room. */
const PENDING_BYTES_MAX = 1024 * 1024;

export interface ProgramLogOptions {
  /** "copy" or "intercept": stands in every line. */
  readonly program: string;
  readonly config: Pick<ProgramConfig, 'logFile' | 'logLevel'>;
  /** The terminal; its lines go there when it is one and no file is given. */
  readonly statusLine: StatusLine;
}

export class ProgramLog {
  readonly logger: Logger;
  readonly #destination: ReturnType<typeof pino.destination> | undefined;
  readonly #onHangUp: (() => void) | undefined;
  #linesDropped = 0;
  #isClosed = false;

  /**
   * Opens the log. With a log file, SIGHUP opens the file anew (for logrotate).
   * @throws StartError ERR_START_LOG_FILE when the file cannot be opened.
   */
  constructor(options: ProgramLogOptions) {
    const { logFile, logLevel } = options.config;
    const pinoOptions = {
      level: logLevel,
      base: { program: options.program, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label: string) => ({ level: label }) },
    };
    if (logFile === undefined && options.statusLine.isTerminal) {
      this.#destination = undefined;
      this.#onHangUp = undefined;
      this.logger = pino(pinoOptions, {
        write: (line: string) => options.statusLine.writeLine(formatLogLine(line, options.statusLine.hasColors)),
      });
      return;
    }
    if (logFile !== undefined) checkOpens(logFile);
    const destination = pino.destination({ dest: logFile ?? 2, sync: false, maxLength: PENDING_BYTES_MAX });
    // A full disk or a closed pipe must not end the program; nobody is left to be told.
    destination.on('error', () => {
      this.#linesDropped += 1;
    });
    destination.on('drop', () => {
      this.#linesDropped += 1;
    });
    this.#destination = destination;
    this.logger = pino(pinoOptions, destination);
    this.#onHangUp = logFile === undefined ? undefined : () => this.reopen();
    if (this.#onHangUp !== undefined) process.on('SIGHUP', this.#onHangUp);
  }

  /** Lines, or failures to write, that the log lost. */
  get linesDropped(): number {
    return this.#linesDropped;
  }

  /** Opens the log file anew, so that it can be moved away. No effect without a file. */
  reopen(): void {
    if (this.#isClosed || this.#onHangUp === undefined) return;
    try {
      this.#destination?.reopen();
      this.logger.info('log file opened anew');
    } catch {
      this.#linesDropped += 1;
    }
  }

  /** Writes out what waits. The logger drops further lines. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#onHangUp !== undefined) process.off('SIGHUP', this.#onHangUp);
    this.logger.level = 'silent';
    try {
      this.#destination?.flushSync();
    } catch {
      this.#linesDropped += 1;
    }
  }
}

function checkOpens(logFile: string): void {
  try {
    closeSync(openSync(logFile, 'a', 0o640));
  } catch (error) {
    throw new StartError(
      'ERR_START_LOG_FILE',
      `-l/--log-file: cannot open ${logFile} for appending: ${(error as Error).message}; name a file in a directory that exists and that you may write to`,
      { cause: error },
    );
  }
}
