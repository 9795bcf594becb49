/**
 * Appends lines to a file or pipe without blocking: one write is under way at a time, what comes meanwhile waits for the
 * next, up to a limit. A write that fails loses its lines and is counted; the next one is tried all the same, so that a disk that
 * was full is used again when it has room. The first failure is told to whoever opened the log.
 *
 * (pino's own destination tries for ever to write what a full disk does not take, also at the end of the process, which
 * then never ends.)
 */
import { closeSync, openSync, write } from 'node:fs';

/** Octets that may wait for a slow file or pipe. */
const PENDING_BYTES_MAX = 1024 * 1024;
/** A pipe whose reader is slow is tried again after so long. */
const RETRY_MS = 50;
/** At the end, a reader that takes nothing for so long gets no more. */
const CLOSE_TIMEOUT_MS = 1000;
const STANDARD_ERROR = 2;

export class LogWriter {
  readonly #path: string | undefined;
  readonly #onFailure: (error: Error) => void;
  #file: number;
  #pending: string[] = [];
  #pendingBytes = 0;
  #writing: Promise<void> | undefined;
  #linesDropped = 0;
  #hasFailed = false;
  #isClosed = false;

  /**
   * @param path opened for appending; undefined: standard error
   * @param onFailure hears of the first write that fails, and of no other
   * @throws the system's error when it cannot be opened
   */
  constructor(path: string | undefined, onFailure: (error: Error) => void = () => {}) {
    this.#path = path;
    this.#onFailure = onFailure;
    this.#file = path === undefined ? STANDARD_ERROR : openSync(path, 'a', 0o640);
  }

  /** Lines that were not written: the reader was too slow, or the disk failed or was full. */
  get linesDropped(): number {
    return this.#linesDropped;
  }

  /** Appends a line, its end included. Never throws. */
  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#isClosed || this.#pendingBytes + bytes > PENDING_BYTES_MAX) {
      this.#linesDropped += 1;
      return;
    }
    this.#pending.push(line);
    this.#pendingBytes += bytes;
    this.#writing ??= this.#writePending();
  }

  /** Opens the file anew; lines that follow go there. The earlier file goes on when that fails: throws the system's error. */
  async reopen(): Promise<void> {
    if (this.#path === undefined || this.#isClosed) return;
    const next = openSync(this.#path, 'a', 0o640);
    await this.#writing;
    const previous = this.#file;
    this.#file = next;
    closeSync(previous);
  }

  /** Writes what waits, for at most a second, and closes the file. Never rejects. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), CLOSE_TIMEOUT_MS);
    });
    const isDone = await Promise.race([Promise.resolve(this.#writing).then(() => true), timeout]);
    clearTimeout(timer);
    // A file that a write is stuck on cannot be closed under it.
    if (isDone && this.#path !== undefined) closeSync(this.#file);
  }

  /** Never rejects. `#writing` is taken back in the same step as the last look at what waits. */
  async #writePending(): Promise<void> {
    while (this.#pending.length > 0) {
      const lines = this.#pending;
      this.#pending = [];
      this.#pendingBytes = 0;
      try {
        await this.#writeWhole(Buffer.from(lines.join('')));
      } catch (error) {
        this.#linesDropped += lines.length;
        if (this.#hasFailed) continue;
        this.#hasFailed = true;
        this.#onFailure(error as Error);
      }
    }
    this.#writing = undefined;
  }

  async #writeWhole(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      try {
        at += await writeSome(this.#file, bytes.subarray(at));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
      }
    }
  }
}

function writeSome(file: number, bytes: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    write(file, bytes, (error, written) => {
      if (error === null) resolve(written);
      else reject(error);
    });
  });
}
