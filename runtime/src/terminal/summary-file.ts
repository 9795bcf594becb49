import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { StartError } from '../errors/start-error.js';

/** The file of `--summary`: checked at the start, written at the end, whole or not at all. */
export class SummaryFile {
  readonly path: string;

  /** @throws StartError ERR_START_SUMMARY_FILE when the file could not be written there. */
  constructor(path: string) {
    this.path = resolve(path);
    try {
      accessSync(dirname(this.path), constants.W_OK | constants.X_OK);
      if (statSync(this.path, { throwIfNoEntry: false })?.isDirectory() === true) throw new Error('it is a directory');
    } catch (error) {
      throw new StartError(
        'ERR_START_SUMMARY_FILE',
        `--summary: ${path} cannot be written: ${(error as Error).message}; name a file in a directory that exists and that you may write to`,
        { cause: error },
      );
    }
  }

  /**
   * Writes `summary` as JSON: to a file beside it, which then takes its name.
   * @throws the system's error; the earlier file, if any, is then as it was.
   */
  write(summary: Readonly<Record<string, unknown>>): void {
    const temporary = join(dirname(this.path), `.trafficcopy-summary-${process.pid}.tmp`);
    try {
      const file = openSync(temporary, 'w', 0o644);
      try {
        writeSync(file, `${JSON.stringify(summary, null, 2)}\n`);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, this.path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  }
}
