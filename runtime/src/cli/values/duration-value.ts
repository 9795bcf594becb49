import { ValueProblem } from './value-problem.js';
import type { ValueType } from './value-type.js';

const EXAMPLES = [
  ['500ms', 500],
  ['90s', 90_000],
  ['15m', 900_000],
  ['2h', 7_200_000],
] as const;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * A length of time in milliseconds, from `minMs` to `maxMs`. A plain number is in seconds, as in tcpcopy; units are ms, s,
 * m, h and d, and several add up: 2h30m.
 */
export function durationValue(minMs: number, maxMs: number): ValueType<number> {
  const examples = EXAMPLES.flatMap(([text, valueMs]) => (valueMs >= minMs && valueMs <= maxMs ? [text] : []));
  return {
    expected: `a time from ${formatDuration(minMs)} to ${formatDuration(maxMs)}: seconds, or with a unit, like ${examples.join(', ')}`,
    parse(text: string): number {
      if (!/^\d{1,9}(\.\d{1,3})?$|^(\d{1,9}(\.\d{1,3})?(ms|s|m|h|d)){1,5}$/.test(text)) throw new ValueProblem('');
      let valueMs = 0;
      for (const [, number, unit] of text.matchAll(/([\d.]+)([a-z]*)/g)) {
        valueMs += Math.round(Number(number) * UNIT_MS[unit || 's']!);
      }
      if (valueMs < minMs || valueMs > maxMs) throw new ValueProblem('');
      return valueMs;
    },
  };
}

/** The shortest exact text of a time in milliseconds: 120000 is "2m". */
export function formatDuration(valueMs: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (valueMs > 0 && valueMs % UNIT_MS[unit]! === 0) return `${valueMs / UNIT_MS[unit]!}${unit}`;
  }
  return `${valueMs}ms`;
}
