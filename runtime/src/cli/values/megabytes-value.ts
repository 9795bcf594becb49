import { ValueProblem } from './value-problem.js';
import type { ValueType } from './value-type.js';

/** A size given in megabytes (2^20 octets), from `minMb` to `maxMb`. The value is in octets. */
export function megabytesValue(minMb: number, maxMb: number): ValueType<number> {
  return {
    expected: `a whole number of megabytes from ${minMb} to ${maxMb}`,
    parse(text: string): number {
      const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
      if (value >= minMb && value <= maxMb) return value * 1024 * 1024;
      throw new ValueProblem('');
    },
  };
}
