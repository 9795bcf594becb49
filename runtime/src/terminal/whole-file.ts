import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { StartError } from '../errors/start-error.js';

/**
 * A file that a flag names for the end of a run: checked at the start, written at the end, whole or not at all. What is no regular file, such as
 * /dev/null or a pipe, stays what it is and is written to.
 */
export class WholeFile {
  readonly path: string;

  /** `flag` as in "--report". @throws StartError with `code` when the file could not be written there. */
  constructor(path: string, flag: string, code: `ERR_START_${string}`) {
    this.path = behindLinks(resolve(path));
    try {
      const found = statSync(this.path, { throwIfNoEntry: false });
      if (found?.isDirectory() === true) throw new Error('it is a directory');
      if (found === undefined || found.isFile()) accessSync(dirname(this.path), constants.W_OK | constants.X_OK);
      else accessSync(this.path, constants.W_OK);
    } catch (error) {
      throw new StartError(
        code,
        `${flag}: ${path} cannot be written: ${(error as Error).message}; name a file in a directory that exists and that you may write to`,
        { cause: error },
      );
    }
  }

  /**
   * Writes `text`: to a file beside it, which then takes its name.
   * @throws the system's error; the earlier file, if any, is then as it was.
   */
  writeText(text: string): void {
    if (statSync(this.path, { throwIfNoEntry: false })?.isFile() === false) {
      writeFileSync(this.path, text);
      return;
    }
    const temporary = join(dirname(this.path), `.trafficcopy-${process.pid}.tmp`);
    try {
      const file = openSync(temporary, 'w', 0o644);
      try {
        writeFileSync(file, text);
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

/** The file that a symbolic link leads to; a path that leads nowhere yet as it is. */
function behindLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
