import { StatusLine } from '@trafficcopy/runtime';
import type { Output } from './output.js';

const COLUMNS_DEFAULT = 100;

/** Standard output and error of this process. */
export class TerminalOutput implements Output {
  #line: StatusLine | undefined;

  result(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  progress(parts: readonly string[]): void {
    this.#line ??= new StatusLine();
    this.#line.update(parts);
  }

  endProgress(): void {
    this.#line?.close();
    this.#line = undefined;
  }

  get isTerminal(): boolean {
    return process.stdout.isTTY === true;
  }

  get columns(): number {
    return process.stdout.columns || COLUMNS_DEFAULT;
  }
}
