import Table from 'cli-table3';
import { printable } from '../log/log-line.js';

export interface SummaryRow {
  readonly label: string;
  /** Numbers are written with thousands separators. */
  readonly value: string | number;
  /** What the reader should know or do; empty for most. */
  readonly note?: string;
}

/** Columns that cli-table3 leaves free around a cell. */
const PADDING = 2;

/** The figures of a run, in sections, as a table for people. */
export class SummaryTable {
  readonly #sections: { readonly title: string; readonly rows: readonly SummaryRow[] }[] = [];

  /** Appends a section; one without rows is left out. */
  add(title: string, rows: readonly SummaryRow[]): this {
    if (rows.length > 0) this.#sections.push({ title, rows });
    return this;
  }

  /** The table, without a final line end. Notes are wrapped so that lines keep to `widthMax` columns where they can. */
  render(widthMax: number): string {
    const rows = this.#sections.flatMap((section) => section.rows);
    const labelWidth = Math.max(8, ...rows.map((row) => printable(row.label).length)) + PADDING;
    const valueWidth = Math.max(8, ...rows.map((row) => formatValue(row.value).length)) + PADDING;
    const noteWidth = Math.max(20, widthMax - labelWidth - valueWidth - 4);
    return this.#sections
      .map((section) => {
        const hasNotes = section.rows.some((row) => row.note !== undefined && row.note !== '');
        const colWidths = hasNotes ? [labelWidth, valueWidth, noteWidth] : [labelWidth, valueWidth];
        const table = new Table({
          colWidths,
          colAligns: ['left', 'right', 'left'],
          wordWrap: true,
          style: { head: [], border: [] },
          chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
        });
        for (const row of section.rows) {
          const cells = [printable(row.label), formatValue(row.value)];
          table.push(hasNotes ? [...cells, printable(row.note ?? '')] : cells);
        }
        return `${printable(section.title)}\n${table.toString()}`;
      })
      .join('\n');
  }
}

function formatValue(value: string | number): string {
  return typeof value === 'number' ? value.toLocaleString('en-US') : printable(value);
}
