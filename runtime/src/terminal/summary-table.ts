import Table from 'cli-table3';
import { printable } from '../log/log-line.js';

export interface SummaryRow {
  readonly label: string;
  /** Numbers are written with thousands separators. */
  readonly value: string | number;
  /** What the reader should know or do; empty for most. */
  readonly note?: string;
}

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
    const labelWidth = Math.max(8, ...rows.map((row) => printable(row.label).length)) + 2;
    const valueWidth = Math.max(8, ...rows.map((row) => formatValue(row.value).length)) + 2;
    const hasNotes = rows.some((row) => row.note !== undefined);
    const noteWidth = Math.max(20, widthMax - labelWidth - valueWidth - 4);
    const table = new Table({
      colWidths: hasNotes ? [labelWidth, valueWidth, noteWidth] : [labelWidth, valueWidth],
      colAligns: ['left', 'right', 'left'],
      wordWrap: true,
      style: { head: [], border: [] },
    });
    for (const section of this.#sections) {
      table.push([{ content: printable(section.title), colSpan: hasNotes ? 3 : 2 }]);
      for (const row of section.rows) {
        const cells = [`  ${printable(row.label)}`.slice(0, labelWidth - 2), formatValue(row.value)];
        table.push(hasNotes ? [...cells, printable(row.note ?? '')] : cells);
      }
    }
    return table.toString();
  }
}

function formatValue(value: string | number): string {
  return typeof value === 'number' ? value.toLocaleString('en-US') : printable(value);
}
