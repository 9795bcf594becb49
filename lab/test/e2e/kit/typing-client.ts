import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { LabHost, LabProcess } from '../../../src/index.js';

let fifos = 0;

/** A client program that stays connected and is given one line after the other. */
export class TypingClient {
  readonly process: LabProcess;
  readonly #input: number;

  private constructor(process: LabProcess, input: number) {
    this.process = process;
    this.#input = input;
  }

  static async start(
    host: LabHost,
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<TypingClient> {
    fifos += 1;
    const fifo = join(host.directory, `typing-${fifos}`);
    await host.expect('mkfifo', [fifo]);
    // Open in both directions, so that neither end waits for the other.
    const input = openSync(fifo, 'r+');
    const words = ['-c', 'exec stdbuf -oL "$@" <"$0"', fifo, command, ...args];
    return new TypingClient(await host.start(command.replace(/.*\//, ''), 'sh', words, { env }), input);
  }

  /** Types a line, and waits until the program has printed what answers it. */
  async type(line: string, answer: RegExp): Promise<void> {
    writeSync(this.#input, `${line}\n`);
    await this.process.waitForLine(answer, 20_000);
  }

  /** Ends its input, and waits until it has ended by that. */
  async end(): Promise<void> {
    closeSync(this.#input);
    await this.process.expectEnd(20_000);
  }
}
