import type { InterceptFigures } from '../intercept-figures.js';
import { namespaceTotals } from '../namespace-totals.js';

/** What the workers have done together, without what belongs to the program as a whole. */
export type WorkerTotals = Omit<
  InterceptFigures,
  'elapsedMs' | 'flowsMax' | 'workers' | 'workerRestarts' | 'podsServing' | 'podsNotServing'
>;

export function interceptTotals(all: readonly WorkerTotals[]): WorkerTotals {
  const sum = (read: (one: WorkerTotals) => number): number => all.reduce((total, one) => total + read(one), 0);
  return {
    ...namespaceTotals(all),
    queuedBytes: sum(({ queuedBytes }) => queuedBytes),
    connections: sum(({ connections }) => connections),
    peersRefused: sum(({ peersRefused }) => peersRefused),
    cpuUserUs: sum(({ cpuUserUs }) => cpuUserUs),
    cpuSystemUs: sum(({ cpuSystemUs }) => cpuSystemUs),
    rssBytes: sum(({ rssBytes }) => rssBytes),
  };
}

/** The last figures of a worker that died: what it counted stays, what it had is gone. */
export function closedFigures(last: InterceptFigures): WorkerTotals {
  return { ...last, flows: 0, copies: 0, queuedBytes: 0, rssBytes: 0 };
}
