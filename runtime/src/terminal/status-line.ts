/**
 * The one line at the bottom of a terminal that shows how it goes. Lines of the log are written above it. On anything but
 * a terminal it writes nothing.
 */
import { createRequire } from 'node:module';
import type { WriteStream } from 'node:tty';
import type { createLogUpdate } from 'log-update';
import { printable } from '../log/log-line.js';

/** The line is redrawn at most this often, so that it costs nothing and can be read. */
const REDRAW_INTERVAL_MS = 200;
const SEPARATOR = '  ';
const COLUMNS_DEFAULT = 80;
const ROWS_DEFAULT = 24;

export class StatusLine {
  readonly isTerminal: boolean;
  readonly hasColors: boolean;
  readonly #stream: WriteStream;
  readonly #draw: ReturnType<typeof createLogUpdate> | undefined;
  #parts: readonly string[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Taken away for a line above it. */
  #isHidden = false;
  #isClosed = false;

  /** @param stream where it is shown if that is a terminal: standard error, which leaves standard output for results. */
  constructor(stream: WriteStream = process.stderr) {
    this.#stream = stream;
    // A "dumb" terminal (an editor's shell) cannot move its cursor: log lines go there, a status line does not.
    this.isTerminal = stream.isTTY === true;
    this.hasColors = this.isTerminal && (stream.hasColors?.() ?? false);
    const canMoveCursor = this.isTerminal && process.env['TERM'] !== 'dumb';
    this.#draw = canMoveCursor ? loadLogUpdate()(drawingSurface(stream), { showCursor: true }) : undefined;
  }

  /**
   * Shows `parts`, the most important first: what the width has no room for is left out from the end. Redrawn at most
   * every 200 ms; the last one given is always shown.
   */
  update(parts: readonly string[]): void {
    if (this.#draw === undefined || this.#isClosed) return;
    this.#parts = parts;
    if (this.#timer !== undefined) return;
    this.#redraw();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#redraw();
    }, REDRAW_INTERVAL_MS);
    this.#timer.unref();
  }

  /** Writes a line that stays, above the status line, which is there again when whoever writes has done so. */
  writeLine(line: string): void {
    const isShown = this.#draw !== undefined && !this.#isClosed;
    // Not log-update's own way: it breaks lines at the terminal's width for good, so that they cannot be copied whole.
    if (isShown) this.#draw?.clear();
    this.#stream.write(`${line}\n`);
    if (!isShown || this.#isHidden) return;
    this.#isHidden = true;
    // What happened is told in the line first, then in the status: at once it would show what is past.
    queueMicrotask(() => {
      if (this.#isHidden) this.#redraw();
    });
  }

  /** Removes the line; nothing is shown any more. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#draw?.clear();
    this.#draw?.done();
  }

  #redraw(): void {
    this.#isHidden = false;
    if (this.#parts.length === 0 || this.#isClosed) return;
    this.#draw?.(fitParts(this.#parts, columnsOf(this.#stream) - 1));
  }
}

/** A pseudo-terminal whose size nobody has set says 0. */
function columnsOf(stream: WriteStream): number {
  return stream.columns || COLUMNS_DEFAULT;
}

/** Only where there is a terminal: with what it brings it takes 4 MB. */
function loadLogUpdate(): typeof createLogUpdate {
  return (createRequire(import.meta.url)('log-update') as { createLogUpdate: typeof createLogUpdate }).createLogUpdate;
}

/** What log-update needs of the terminal. */
function drawingSurface(stream: WriteStream): WriteStream {
  const surface = {
    isTTY: true,
    get columns(): number {
      return columnsOf(stream);
    },
    get rows(): number {
      return stream.rows || ROWS_DEFAULT;
    },
    write: (text: string): boolean => stream.write(text),
  };
  return surface as unknown as WriteStream;
}

/** As many of the parts as fit into `widthMax` columns; of the first one as many characters as fit. */
function fitParts(parts: readonly string[], widthMax: number): string {
  let text = printable(parts[0] ?? '').slice(0, Math.max(0, widthMax));
  for (const part of parts.slice(1)) {
    const longer = `${text}${SEPARATOR}${printable(part)}`;
    if (longer.length > widthMax) break;
    text = longer;
  }
  return text;
}
