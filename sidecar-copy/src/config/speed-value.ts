import { ValueProblem, type ValueType } from '@trafficcopy/runtime';

const SPEED_MAX = 1_000_000;

/** How many times as fast as recorded; Infinity for `max`. */
export const speedValue: ValueType<number> = {
  expected: `a number from 1 to ${SPEED_MAX}, like 2 or 1.5, or max`,
  parse(text: string): number {
    if (text === 'max') return Number.POSITIVE_INFINITY;
    if (!/^\d{1,7}(\.\d{1,3})?$/.test(text)) throw new ValueProblem('');
    const speed = Number(text);
    if (speed < 1 || speed > SPEED_MAX) throw new ValueProblem('');
    return speed;
  },
};
