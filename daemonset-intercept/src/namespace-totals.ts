import { createInterceptCounters, type InterceptCounters } from './counters.js';
import type { TargetNamespaceFigures } from './target-namespace.js';

/** Figures of several namespaces together. */
export function namespaceTotals(all: readonly TargetNamespaceFigures[]): TargetNamespaceFigures {
  return {
    counters: all.map(({ counters }) => counters).reduce(sumOfCounters, createInterceptCounters()),
    queue: {
      packets: sum(all.map(({ queue }) => queue.packets)),
      queueDropped: sum(all.map(({ queue }) => queue.queueDropped)),
      userDropped: sum(all.map(({ queue }) => queue.userDropped)),
    },
    sendErrors: all.map(({ sendErrors }) => sendErrors).reduce(sumOfRecords, {}),
    flows: sum(all.map(({ flows }) => flows)),
    copies: sum(all.map(({ copies }) => copies)),
  };
}

function sumOfCounters(one: InterceptCounters, other: InterceptCounters): InterceptCounters {
  const { recordsRefused: refusedOne, ...countsOne } = one;
  const { recordsRefused: refusedOther, ...countsOther } = other;
  const counts = sumOfRecords(countsOne, countsOther);
  return { ...counts, recordsRefused: sumOfRecords(refusedOne, refusedOther) } as InterceptCounters;
}

function sumOfRecords(
  one: Readonly<Record<string, number>>,
  other: Readonly<Record<string, number>>,
): Record<string, number> {
  const total: Record<string, number> = { ...one };
  for (const [name, count] of Object.entries(other)) total[name] = (total[name] ?? 0) + count;
  return total;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
