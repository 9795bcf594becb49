import { closeSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { StartError } from '../errors/start-error.js';
import { readAtMost } from './read-at-most.js';

/** A number and the end of its line fit well. */
const PID_FILE_BYTES_MAX = 64;

/** The file of `-P`: the process id, from the start to the end of the program. */
export class PidFile {
  readonly #path: string;

  /** Writes it. @throws StartError ERR_START_PID_FILE when it cannot be written, or names another process that lives. */
  constructor(path: string) {
    this.#path = resolve(path);
    if (statSync(this.#path, { throwIfNoEntry: false })?.isFile() === false) {
      throw new StartError('ERR_START_PID_FILE', `-P/--pid-file: ${path} is no regular file: name another one`);
    }
    const other = this.#readPid();
    if (other !== undefined && other !== process.pid && isAlive(other)) {
      throw new StartError(
        'ERR_START_PID_FILE',
        `-P/--pid-file: ${path} belongs to process ${other}, which is running: end it, or name another file`,
      );
    }
    try {
      writeFileSync(this.#path, `${process.pid}\n`, { mode: 0o644 });
    } catch (error) {
      throw new StartError(
        'ERR_START_PID_FILE',
        `-P/--pid-file: cannot write ${path}: ${(error as Error).message}; name a file in a directory that exists and that you may write to`,
        { cause: error },
      );
    }
  }

  /** Removes it, unless it has become another process's. */
  remove(): void {
    if (this.#readPid() === process.pid) rmSync(this.#path, { force: true });
  }

  #readPid(): number | undefined {
    try {
      const descriptor = openSync(this.#path, 'r');
      try {
        const pid = Number(readAtMost(descriptor, PID_FILE_BYTES_MAX)?.trim());
        return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
      } finally {
        closeSync(descriptor);
      }
    } catch {
      return undefined;
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
