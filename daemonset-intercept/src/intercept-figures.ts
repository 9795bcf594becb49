import type { InterceptCounters } from './counters.js';
import type { ResponseSourceStatistics } from './responses/response-source.js';

/** Everything that status line, log, metrics and summary tell, at one moment. */
export interface InterceptFigures {
  readonly elapsedMs: number;
  readonly counters: InterceptCounters;
  readonly queue: ResponseSourceStatistics;
  /** Failures of raw sockets by errno name. */
  readonly sendErrors: Readonly<Record<string, number>>;
  readonly flows: number;
  readonly flowsMax: number;
  readonly copies: number;
  /** On a node of a cluster: target pods that are served, and those that are prepared, left or failed. */
  readonly podsServing: number;
  readonly podsNotServing: number;
  /** Octets that wait for copies. */
  readonly queuedBytes: number;
  /** Connections of copies since the start, and peers that were refused on the port. */
  readonly connections: number;
  readonly peersRefused: number;
  readonly cpuUserUs: number;
  readonly cpuSystemUs: number;
  readonly rssBytes: number;
  /** Workers that run (--threads), and how often one was started again. */
  readonly workers: number;
  readonly workerRestarts: number;
}

export function recordsRefused(figures: Pick<InterceptFigures, 'counters'>): number {
  return Object.values(figures.counters.recordsRefused).reduce((sum, count) => sum + count, 0);
}

/** Responses whose headers did not reach their copy, by reason; only reasons that occurred. */
export function responsesLost({ counters, queue }: Pick<InterceptFigures, 'counters' | 'queue'>): [string, number][] {
  const reasons: [string, number][] = [
    ['queue full', queue.queueDropped],
    ['netlink buffer full', queue.userDropped],
    ['channel full', counters.responsesNotReturned],
  ];
  return reasons.filter(([, count]) => count > 0);
}
