import { Writable } from 'node:stream';
import type { WriteStream } from 'node:tty';

/** A terminal in memory: it understands the few sequences that a status line uses, and shows its screen as lines. */
export class FakeTerminal {
  readonly stream: WriteStream;
  readonly writes: string[] = [];
  #lines: string[] = [''];
  #row = 0;
  #column = 0;

  constructor(columns: number) {
    const stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.writes.push(chunk.toString());
        this.#show(chunk.toString());
        done();
      },
    });
    this.stream = Object.assign(stream, {
      isTTY: true,
      columns,
      rows: 24,
      hasColors: () => false,
    }) as unknown as WriteStream;
  }

  /** The lines that are not empty. */
  screen(): string[] {
    return this.#lines.map((line) => line.trimEnd()).filter((line) => line !== '');
  }

  #show(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what a terminal reads.
    for (const [token] of text.matchAll(/\u001b\[\??(\d*)([A-Za-z])|[\s\S]/gu)) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
      const sequence = /^\u001b\[(\?)?(\d*)([A-Za-z])$/.exec(token);
      if (sequence !== null) this.#obey(sequence[3]!, Number(sequence[2] || 1), sequence[2]!);
      else if (token === '\n') {
        this.#row += 1;
        this.#column = 0;
        this.#lines[this.#row] ??= '';
      } else {
        const line = (this.#lines[this.#row] ?? '').padEnd(this.#column);
        this.#lines[this.#row] = line.slice(0, this.#column) + token + line.slice(this.#column + 1);
        this.#column += 1;
      }
    }
  }

  #obey(command: string, count: number, argument: string): void {
    if (command === 'A') this.#row = Math.max(0, this.#row - count);
    else if (command === 'B') this.#row += count;
    else if (command === 'G') this.#column = argument === '' ? 0 : count - 1;
    else if (command === 'K') {
      const line = this.#lines[this.#row] ?? '';
      this.#lines[this.#row] = argument === '2' ? '' : line.slice(0, this.#column);
    } else if (command !== 'h' && command !== 'l' && command !== 'm') {
      throw new Error(`a sequence that this terminal does not know: ${command}`);
    }
  }
}
