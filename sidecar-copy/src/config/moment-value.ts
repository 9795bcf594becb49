import { durationValue, ValueProblem, type ValueType } from '@trafficcopy/runtime';
import type { Moment } from '../offline/moment.js';

const US_PER_MS = 1000;
const US_PER_SECOND = 1_000_000;
/** Ten years: longer than a recording. */
const offset = durationValue(0, 3_650 * 86_400_000);

/** A time of a recording: counted from its first packet, or as seconds since 1970 behind an `@`, or as a date and time. */
export const momentValue: ValueType<Moment> = {
  expected: 'a time after the first packet, like 90s or 15m, or a date, like 2026-11-28T13:00:00Z or @1795870800.5',
  parse(text: string): Moment {
    const epoch = /^@(\d{1,10}(?:\.\d{1,6})?)$/.exec(text);
    if (epoch !== null) return { kind: 'absolute', timeUs: Number(epoch[1]) * US_PER_SECOND };
    if (/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}/.test(text)) {
      const timeMs = Date.parse(text);
      if (Number.isNaN(timeMs)) throw new ValueProblem('there is no such date');
      return { kind: 'absolute', timeUs: timeMs * US_PER_MS };
    }
    return { kind: 'offset', offsetUs: offset.parse(text) * US_PER_MS };
  },
};
