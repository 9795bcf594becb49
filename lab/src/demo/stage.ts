import { stripVTControlCharacters, styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** The demo's output: colours and lines that update on a terminal, plain lines elsewhere. */
export class Stage {
  readonly #out: NodeJS.WriteStream;
  readonly #startedMs = performance.now();
  #liveLines = 0;
  #plainLineMs = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  style(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#out });
  }

  say(text = ''): void {
    this.#liveLines = 0;
    this.#out.write(`${text}\n`);
  }

  step(text: string): void {
    const seconds = ((performance.now() - this.#startedMs) / 1000).toFixed(1).padStart(5);
    this.say();
    this.say(`${this.style('dim', `${seconds} s`)}  ${this.style('bold', text)}`);
  }

  note(text: string): void {
    this.say(`         ${text}`);
  }

  table(lines: readonly string[]): void {
    for (const [index, line] of lines.entries()) this.say(`  ${index === 0 ? this.style('bold', line) : line}`);
  }

  /** Shows lines in place of the last live ones; without a terminal only the last of them, every two seconds. */
  live(lines: readonly string[]): void {
    if (this.#out.isTTY) {
      const up = this.#liveLines > 0 ? `\x1b[${this.#liveLines}A` : '';
      const width = Math.max(40, this.#out.columns - 1);
      this.#out.write(up + lines.map((line) => `\r\x1b[2K${cut(line, width)}\n`).join(''));
      this.#liveLines = lines.length;
      return;
    }
    const nowMs = performance.now();
    if (nowMs - this.#plainLineMs < 1_900) return;
    this.#plainLineMs = nowMs;
    this.#out.write(`${lines.at(-1) ?? ''}\n`);
  }
}

/** The first `width` columns of a line; a line that is too long loses its colours. */
function cut(line: string, width: number): string {
  const plain = stripVTControlCharacters(line);
  return plain.length <= width ? line : plain.slice(0, width);
}
