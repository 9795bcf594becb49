import { ValueProblem } from './value-problem.js';
import type { ValueType } from './value-type.js';

const UNIT_MB: Readonly<Record<string, number>> = { Mi: 1, Gi: 1024 };

/** A size given in megabytes (2^20 octets), or with a unit as Kubernetes writes it, from `minMb` to `maxMb` megabytes. The value is in octets. */
export function megabytesValue(minMb: number, maxMb: number): ValueType<number> {
  return {
    expected: `a whole number of megabytes from ${minMb} to ${maxMb}, like 64, 64Mi or 1Gi`,
    parse(text: string): number {
      const match = /^(\d{1,9})(Mi|Gi)?$/.exec(text);
      const value = Number(match?.[1] ?? Number.NaN) * UNIT_MB[match?.[2] ?? 'Mi']!;
      if (value >= minMb && value <= maxMb) return value * 1024 * 1024;
      throw new ValueProblem('');
    },
  };
}
