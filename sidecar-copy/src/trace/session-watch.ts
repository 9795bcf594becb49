import { TRACE_AT_MS, TRACE_EVENT, TRACE_KIND } from '@trafficcopy/core';
import { eventText, sessionText } from './event-text.js';
import type { SessionFilter } from './session-filter.js';

/** One event of one session, as text. */
export interface TraceLine {
  /** The engine's time. */
  readonly atMs: number;
  readonly session: string;
  readonly text: string;
}

/** With `lost`: sessions that are remembered, the last events of each, and how long a session that lost something is shown. */
const SESSIONS_MAX = 4096;
const EVENTS_FOR_EACH_MAX = 32;

interface Remembered {
  lines: TraceLine[];
  /** Lines that had no room. */
  leftOut: number;
  hasLost: boolean;
}

/**
 * One look at sessions: takes records of the engine and hands on lines. With `lost` it holds
 * the last events of each session back until the session loses something, and shows them and what follows then.
 */
export class SessionWatch {
  readonly filter: SessionFilter;
  readonly #onLine: (line: TraceLine) => void;
  readonly #sessions = new Map<string, Remembered>();
  /** Sessions that were forgotten before they ended. */
  forgotten = 0;

  constructor(filter: SessionFilter, onLine: (line: TraceLine) => void) {
    this.filter = filter;
    this.#onLine = onLine;
  }

  /** One record of the engine that fits the filter. */
  take(record: Float64Array, at: number, target: string): void {
    const line = {
      atMs: record[at + TRACE_AT_MS]!,
      session: sessionText(record, at, target),
      text: eventText(record, at),
    };
    if (this.filter.isLossOnly) this.#hold(line, record[at + TRACE_EVENT]!);
    else this.#onLine(line);
  }

  #hold(line: TraceLine, event: number): void {
    if (event === TRACE_KIND.notCopied) return;
    const known = this.#sessions.get(line.session) ?? this.#remember(line.session);
    if (event === TRACE_KIND.lost) known.hasLost = true;
    if (known.hasLost) this.#show(known, line);
    else {
      known.lines.push(line);
      if (known.lines.length > EVENTS_FOR_EACH_MAX) {
        known.lines.shift();
        known.leftOut += 1;
      }
    }
    if (event === TRACE_KIND.ended) this.#sessions.delete(line.session);
  }

  #remember(session: string): Remembered {
    if (this.#sessions.size === SESSIONS_MAX) {
      // The oldest: a map keeps its order.
      const [oldest] = this.#sessions.keys();
      this.#sessions.delete(oldest!);
      this.forgotten += 1;
    }
    const remembered = { lines: [], leftOut: 0, hasLost: false };
    this.#sessions.set(session, remembered);
    return remembered;
  }

  #show(known: Remembered, line: TraceLine): void {
    const { lines, leftOut } = known;
    if (leftOut > 0) {
      const { atMs, session } = lines[0]!;
      this.#onLine({ atMs, session, text: `(${leftOut} earlier events left out)` });
    }
    for (const earlier of lines) this.#onLine(earlier);
    known.lines = [];
    known.leftOut = 0;
    this.#onLine(line);
  }
}
