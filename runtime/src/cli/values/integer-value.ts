import { ValueProblem } from './value-problem.js';
import type { ValueType } from './value-type.js';

/** A whole number from `min` to `max`, decimal. */
export function integerValue(min: number, max: number): ValueType<number> {
  return {
    expected: `a whole number from ${min} to ${max}`,
    parse(text: string): number {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      if (value >= min && value <= max) return value;
      throw new ValueProblem('');
    },
  };
}
