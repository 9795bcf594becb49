import { counted } from '@trafficcopy/runtime';
import { type InterceptFigures, recordsRefused, responsesLost } from './intercept-figures.js';

const MS_PER_SECOND = 1000;

/** The parts of the status line, the most important first, from the figures of two moments. */
export function interceptStatus(before: InterceptFigures, now: InterceptFigures): string[] {
  const intervalMs = Math.max(now.elapsedMs - before.elapsedMs, 1);
  const perSecond = (after: number, earlier: number): string =>
    Math.round(((after - earlier) * MS_PER_SECOND) / intervalMs).toLocaleString('en-US');
  const refused = recordsRefused(now);
  const cpuUs = now.cpuUserUs + now.cpuSystemUs - before.cpuUserUs - before.cpuSystemUs;
  return [
    now.copies === 1 ? '1 copy' : `${now.copies} copies`,
    counted(now.flows, 'connection'),
    `${perSecond(now.counters.packetsInjected, before.counters.packetsInjected)} packets/s in`,
    `${perSecond(now.counters.responses, before.counters.responses)} responses/s`,
    ...(now.counters.datagramAnswers === 0
      ? []
      : [`${perSecond(now.counters.datagramAnswers, before.counters.datagramAnswers)} UDP answers/s`]),
    `lost ${lossText(now)}`,
    ...(refused > 0 ? [`refused ${refused.toLocaleString('en-US')}`] : []),
    `CPU ${Math.round(cpuUs / (intervalMs * 10))} %`,
  ];
}

/** For lines of the log: answers to datagrams are no responses, and named where there are some. */
export function responseFields({ counters }: Pick<InterceptFigures, 'counters'>): Record<string, number> {
  const { responses, datagramAnswers } = counters;
  return { responses, ...(datagramAnswers === 0 ? {} : { datagramAnswers }) };
}

/** `0`, or `12 (queue full 10, channel full 2)`. */
export function lossText(figures: Pick<InterceptFigures, 'counters' | 'queue'>): string {
  const reasons = responsesLost(figures);
  const total = reasons.reduce((sum, [, count]) => sum + count, 0).toLocaleString('en-US');
  const list = reasons.map(([reason, count]) => `${reason} ${count.toLocaleString('en-US')}`).join(', ');
  return reasons.length === 0 ? total : `${total} (${list})`;
}
