/**
 * The log of a program. To a file or a pipe it is JSON, one object a line; on a terminal it is lines for people, written
 * above the status line. Writing never blocks the data path: what the reader does not take in time is dropped.
 */
import { type Logger, pino } from 'pino';
import type { ProgramConfig } from '../cli/program-flags.js';
import { StartError } from '../errors/start-error.js';
import type { StatusLine } from '../terminal/status-line.js';
import { errorFields } from './error-fields.js';
import { formatLogLine, printable } from './log-line.js';
import { LogWriter } from './log-writer.js';

export interface ProgramLogOptions {
  /** "copy" or "intercept": stands in every line. */
  readonly program: string;
  readonly config: Pick<ProgramConfig, 'logFile' | 'logLevel'>;
  /** The terminal; its lines go there when it is one and no file is given. */
  readonly statusLine: StatusLine;
}

export class ProgramLog {
  readonly logger: Logger;
  readonly #name: string;
  readonly #isOnStandardError: boolean;
  readonly #statusLine: StatusLine;
  readonly #writer: LogWriter | undefined;
  readonly #onHangUp: (() => void) | undefined;

  /**
   * Opens the log. With a log file, SIGHUP opens the file anew (for logrotate).
   * @throws StartError ERR_START_LOG_FILE when the file cannot be opened.
   */
  constructor(options: ProgramLogOptions) {
    const { logFile, logLevel } = options.config;
    this.#name = `trafficcopy ${options.program}`;
    this.#isOnStandardError = logFile === undefined && logLevel !== 'silent';
    this.#statusLine = options.statusLine;
    const pinoOptions = {
      level: logLevel,
      base: { program: options.program, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: errorFields },
      formatters: { level: (label: string) => ({ level: label }) },
    };
    if (logFile === undefined && options.statusLine.isTerminal) {
      this.logger = pino(pinoOptions, { write: (line: string) => this.writeLine(line) });
      return;
    }
    this.#writer = openWriter(logFile, (error) => {
      if (logFile === undefined) return;
      this.#sayAloud(`-l/--log-file: ${logFile} could not be written, and lines of it are lost: ${error.message}`);
    });
    this.logger = pino(pinoOptions, this.#writer);
    if (logFile === undefined) return;
    this.#onHangUp = () => void this.reopen();
    process.on('SIGHUP', this.#onHangUp);
  }

  /** Lines that the log lost: its file or pipe was too slow, full or broken. */
  get linesDropped(): number {
    return this.#writer?.linesDropped ?? 0;
  }

  /** Writes a line that a logger has made: that of this program, or of another process of it. */
  writeLine(line: string): void {
    if (this.#writer !== undefined) this.#writer.write(line);
    else this.#statusLine.writeLine(formatLogLine(line, this.#statusLine.hasColors));
  }

  /** Why the program ends with a failure: in the log, and on standard error where the log is not there. */
  sayLast(problem: string): void {
    this.logger.error(problem);
    if (!this.#isOnStandardError) this.#sayAloud(problem);
  }

  #sayAloud(text: string): void {
    this.#statusLine.writeLine(`${this.#name}: ${printable(text)}`);
  }

  /** Opens the log file anew, so that it can be moved away. No effect without a file. Never rejects. */
  async reopen(): Promise<void> {
    try {
      await this.#writer?.reopen();
      this.logger.info('log file opened anew');
    } catch (error) {
      this.logger.error({ err: error }, 'the log file cannot be opened anew, the earlier one is used on');
    }
  }

  /** Writes out what waits. Later lines are dropped. Never rejects. */
  async close(): Promise<void> {
    if (this.#onHangUp !== undefined) process.off('SIGHUP', this.#onHangUp);
    this.logger.level = 'silent';
    await this.#writer?.close();
  }
}

function openWriter(logFile: string | undefined, onFailure: (error: Error) => void): LogWriter {
  try {
    return new LogWriter(logFile, onFailure);
  } catch (error) {
    throw new StartError(
      'ERR_START_LOG_FILE',
      `-l/--log-file: cannot open ${logFile} for appending: ${(error as Error).message}; name a file in a directory that exists and that you may write to`,
      { cause: error },
    );
  }
}
