import {
  closeSync,
  constants,
  createWriteStream,
  existsSync,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  openSync,
  rmSync,
  type WriteStream,
} from 'node:fs';
import { resolve } from 'node:path';
import type { Difference } from '@trafficcopy/core';
import { StartError } from '@trafficcopy/runtime';
import type { ComparisonFigures } from './comparison-figures.js';
import { differenceLine } from './difference-line.js';

export interface DifferenceFileOptions {
  readonly path: string;
  /** It could not be written: nothing more is. */
  readonly onStop: (message: string) => void;
}

/** Octets that wait for the disk; beyond it differences are left out. */
const QUEUE_BYTES_MAX = 64 * 1024 * 1024;
/** What the file holds is users' data. */
const MODE = 0o600;

/**
 * The file of --compare: a line of JSON for each request that differs, as they are found; at the end a line for each request with which a
 * target was slow, and one with the sums.
 */
export class DifferenceFile {
  readonly path: string;
  /** Differences that were left out: the disk was too slow, or failed. */
  dropped = 0;
  readonly #fd: number;
  readonly #isNew: boolean;
  readonly #onStop: (message: string) => void;
  #stream: WriteStream | undefined;
  #hasStarted = false;
  #isClosed = false;

  /**
   * Opens the file. One that is there stays as it is until {@link start}.
   *
   * @throws StartError when that is not possible
   */
  constructor(options: DifferenceFileOptions) {
    this.path = resolve(options.path);
    this.#onStop = options.onStop;
    try {
      this.#isNew = !existsSync(this.path);
      this.#fd = openSync(this.path, constants.O_WRONLY | constants.O_CREAT, MODE);
    } catch (error) {
      throw startError(options.path, error as Error);
    }
  }

  /**
   * Empties the file, and closes it to others. Call it when nothing else can fail.
   *
   * @throws StartError
   */
  start(): void {
    try {
      if (fstatSync(this.#fd).isFile()) {
        fchmodSync(this.#fd, MODE);
        ftruncateSync(this.#fd, 0);
      }
    } catch (error) {
      throw startError(this.path, error as Error);
    }
    this.#hasStarted = true;
    this.#stream = createWriteStream(this.path, { fd: this.#fd });
    this.#stream.on('error', (error) => this.#stop(error));
  }

  append(differences: readonly Difference[], atMs: number): void {
    for (const difference of differences) {
      if (this.#stream === undefined || this.#stream.writableLength > QUEUE_BYTES_MAX) this.dropped += 1;
      else this.#write(differenceLine(difference, atMs));
    }
  }

  /** Writes the sums and closes. Never rejects. */
  async close(figures?: ComparisonFigures): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const stream = this.#stream;
    if (stream === undefined) {
      // After a fault of the disk the stream has closed it.
      if (this.#hasStarted) return;
      closeSync(this.#fd);
      if (this.#isNew) rmSync(this.path, { force: true });
      return;
    }
    if (figures !== undefined) this.#writeSums(figures);
    await new Promise<void>((done) => {
      stream.once('close', () => done());
      stream.end();
    });
  }

  #writeSums({ slow, ...sums }: ComparisonFigures): void {
    for (const { onlineUs, targetUs, ...request } of slow) {
      this.#write({ kind: 'slow', ...request, onlineMs: onlineUs / 1000, targetMs: targetUs / 1000 });
    }
    this.#write({ kind: 'summary', ...sums, differencesNotWritten: this.dropped });
  }

  #write(line: Record<string, unknown>): void {
    this.#stream?.write(`${JSON.stringify(line)}\n`);
  }

  #stop(error: Error): void {
    if (this.#stream === undefined) return;
    this.#stream = undefined;
    this.#onStop(`--compare: ${this.path} could not be written, nothing more is: ${error.message}`);
  }
}

function startError(path: string, cause: Error): StartError {
  return new StartError(
    'ERR_START_COMPARE_FILE',
    `--compare: ${path} cannot be written: ${cause.message}; name a file in a directory that exists and that you may write to`,
    { cause },
  );
}
