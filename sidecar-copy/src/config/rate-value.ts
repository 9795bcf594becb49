import { ValueProblem, type ValueType } from '@trafficcopy/runtime';
import type { ReplayRate } from '../offline/replay-schedule.js';

const PER_SECOND_MAX = 10_000_000;

/** Connections or requests in a second. */
export const rateValue: ValueType<ReplayRate> = {
  expected: 'connections or requests in a second, like 500conn/s or 2000req/s',
  parse(text: string): ReplayRate {
    const match = /^(\d{1,8}(?:\.\d{1,3})?)(conn|req)(?:\/s)?$/.exec(text);
    if (match === null) throw new ValueProblem('');
    const perSecond = Number(match[1]);
    if (perSecond <= 0 || perSecond > PER_SECOND_MAX) throw new ValueProblem('');
    return { of: match[2] === 'conn' ? 'connections' : 'requests', perSecond };
  },
};
