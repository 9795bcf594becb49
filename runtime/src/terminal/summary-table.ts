import Table from 'cli-table3';
import { printable } from '../log/log-line.js';

export interface SummaryRow {
  readonly label: string;
  /** Numbers are written with thousands separators. */
  readonly value: string | number;
  /** What the reader should know or do; empty for most. No-break spaces (U+00A0) hold together what belongs together. */
  readonly note?: string;
}

/** Columns that cli-table3 leaves free around a cell. */
const PADDING = 2;
/** Borders of a table with two and with three columns. */
const BORDERS = 3;
const BORDERS_WITH_NOTES = 4;
const CELL_MIN = 8 + PADDING;
const LABEL_MIN = 20;
/** What a note gets at least, where labels are long. */
const NOTE_MIN = 28;
const LABEL_LINES_MAX = 2;
const NO_BREAK_SPACE = '\u00a0';

/** The figures of a run, in sections, as a table for people. */
export class SummaryTable {
  readonly #sections: { readonly title: string; readonly rows: readonly SummaryRow[] }[] = [];

  /** Appends a section; one without rows is left out. */
  add(title: string, rows: readonly SummaryRow[]): this {
    if (rows.length > 0) this.#sections.push({ title, rows });
    return this;
  }

  /**
   * The table, without a final line end. It keeps to `widthMax` columns where it can: labels and notes are wrapped, but not at a no-break
   * space, and of a label that takes more than two lines the rest is left out.
   */
  render(widthMax: number): string {
    const rows = this.#sections.flatMap((section) => section.rows);
    const valueWidth = widthOf(rows.map(({ value }) => formatValue(value)));
    const labelMax = Math.max(LABEL_MIN, widthMax - valueWidth - NOTE_MIN - BORDERS_WITH_NOTES);
    const labelWidth = Math.min(widthOf(rows.map(({ label }) => printable(label))), labelMax);
    const noteWidth = Math.max(NOTE_MIN, widthMax - labelWidth - valueWidth - BORDERS_WITH_NOTES);
    const aloneMax = Math.max(labelMax, widthMax - valueWidth - BORDERS);
    return this.#sections
      .map((section) => {
        const hasNotes = section.rows.some((row) => row.note !== undefined && row.note !== '');
        const own = widthOf(section.rows.map(({ label }) => printable(label)));
        const colWidths = hasNotes
          ? [labelWidth, valueWidth, noteWidth]
          : [Math.max(labelWidth, Math.min(own, aloneMax)), valueWidth];
        const table = new Table({
          colWidths,
          colAligns: ['left', 'right', 'left'],
          style: { head: [], border: [] },
          chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
        });
        for (const row of section.rows) {
          const label = wrapped(printable(row.label), colWidths[0]! - PADDING, LABEL_LINES_MAX);
          const cells = [label, formatValue(row.value)];
          table.push(hasNotes ? [...cells, wrapped(printable(row.note ?? ''), noteWidth - PADDING)] : cells);
        }
        return `${printable(section.title)}\n${table.toString()}`;
      })
      .join('\n');
  }
}

function widthOf(texts: readonly string[]): number {
  return Math.max(CELL_MIN, ...texts.map((text) => text.length + PADDING));
}

/** `text` in lines of `columns` at most, broken at spaces, else where it has to be; each is indented like the first. */
function wrapped(text: string, columns: number, linesMax = Number.POSITIVE_INFINITY): string {
  const indent = /^ */.exec(text)![0];
  const room = columns - indent.length;
  const lines = [''];
  for (const word of text.trimStart().split(' ')) {
    const line = lines.at(-1)!;
    let longer = line === '' ? word : `${line} ${word}`;
    if (longer.length <= room) {
      lines[lines.length - 1] = longer;
    } else if (word.length <= room) {
      lines.push(word);
    } else {
      lines.pop();
      for (; longer.length > room; longer = longer.slice(room)) lines.push(longer.slice(0, room));
      lines.push(longer);
    }
  }
  if (lines.length > linesMax) lines.splice(linesMax - 1, lines.length, `${lines[linesMax - 1]!.slice(0, room - 1)}…`);
  return lines
    .map((line) => `${indent}${line}`)
    .join('\n')
    .replaceAll(NO_BREAK_SPACE, ' ');
}

function formatValue(value: string | number): string {
  return typeof value === 'number' ? value.toLocaleString('en-US') : printable(value);
}
