import { stripVTControlCharacters } from 'node:util';

/** Lines of a table: a head, a rule, rows; the first column to the left, figures to the right. */
export function textTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const width = (cell: string): number => stripVTControlCharacters(cell).length;
  const widths = head.map((cell, column) => Math.max(width(cell), ...rows.map((row) => width(row[column] ?? ''))));
  const line = (cells: readonly string[]): string =>
    widths
      .map((columnWidth, column) => {
        const cell = cells[column] ?? '';
        const space = ' '.repeat(columnWidth - width(cell));
        return column === 0 ? cell + space : space + cell;
      })
      .join('   ')
      .trimEnd();
  return [line(head), widths.map((columnWidth) => '─'.repeat(columnWidth)).join('───'), ...rows.map(line)];
}
