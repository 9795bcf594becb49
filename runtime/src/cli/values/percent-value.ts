import { ValueProblem } from './value-problem.js';
import type { ValueType } from './value-type.js';

/** A share in percent, above 0 and at most 100; fractions are allowed. */
export const percentValue: ValueType<number> = {
  expected: 'a number above 0 and at most 100, like 5 or 0.5',
  parse(text: string): number {
    const value = /^\d{1,3}(\.\d{1,9})?$|^\.\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value > 0 && value <= 100) return value;
    throw new ValueProblem('');
  },
};
