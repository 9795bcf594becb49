import type { ResponseSourceStatistics } from './responses/response-source.js';

/** Between two messages about the same thing. */
const REPEAT_MS = 30_000;

/** Watches the kernel's drop counters of the queue, and says what would help, not more than once in a while for each. */
export class QueueAlarm {
  #before: ResponseSourceStatistics = { packets: 0, queueDropped: 0, userDropped: 0 };
  readonly #toldMs = { queueDropped: Number.NEGATIVE_INFINITY, userDropped: Number.NEGATIVE_INFINITY };

  /** Messages for the log; none while nothing is lost. */
  check(nowMs: number, now: ResponseSourceStatistics): string[] {
    const messages: string[] = [];
    for (const kind of ['queueDropped', 'userDropped'] as const) {
      const dropped = now[kind] - this.#before[kind];
      if (dropped <= 0 || nowMs - this.#toldMs[kind] < REPEAT_MS) continue;
      this.#toldMs[kind] = nowMs;
      messages.push(`${dropped.toLocaleString('en-US')} responses were lost: ${QUEUE_DROP_ADVICE[kind]}`);
    }
    this.#before = now;
    return messages;
  }
}

/** What each kind of drop means and what helps. Either way the copies ask again: their sessions are slowed, not ended. */
export const QUEUE_DROP_ADVICE = {
  queueDropped: 'the NFQUEUE was full; a larger -q/--queue-length helps against bursts, more CPU against lasting load',
  userDropped:
    'the netlink buffer of the NFQUEUE was full: intercept did not get to read it in time; more CPU helps, or a smaller share of the traffic (copy -r)',
} as const;
