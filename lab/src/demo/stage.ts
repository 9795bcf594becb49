import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** The demo's output: colours and a line that updates on a terminal, plain lines elsewhere. */
export class Stage {
  readonly #out: NodeJS.WriteStream;
  readonly #startedMs = performance.now();
  #isLineLive = false;
  #plainLineMs = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  style(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#out });
  }

  say(text = ''): void {
    this.#endLive();
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

  /** Shows a line in place of the last live one; without a terminal one line every two seconds. */
  live(text: string): void {
    if (this.#out.isTTY) {
      this.#out.write(`\r\x1b[2K         ${text.slice(0, Math.max(20, this.#out.columns - 10))}`);
      this.#isLineLive = true;
      return;
    }
    const nowMs = performance.now();
    if (nowMs - this.#plainLineMs < 1_900) return;
    this.#plainLineMs = nowMs;
    this.#out.write(`         ${text}\n`);
  }

  #endLive(): void {
    if (this.#isLineLive) this.#out.write('\n');
    this.#isLineLive = false;
  }
}
