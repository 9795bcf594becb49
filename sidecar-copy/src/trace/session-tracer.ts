import { type Engine, TRACE_FITS } from '@trafficcopy/core';
import type { SessionFilter } from './session-filter.js';
import { SessionWatch, type TraceLine } from './session-watch.js';

/** Looks at one time. */
const WATCHES_MAX = 8;
/** Events between two readings: the busiest engine makes some hundred thousand a second, and then some are dropped and counted. */
const EVENTS_MAX = 32_768;
const READ_MS = 100;

export interface TraceSink {
  readonly onLine: (line: TraceLine) => void;
  /** So many events were dropped since the last time: there were more than could be read. */
  readonly onDropped: (events: number) => void;
}

/** Reads the engine's trace while anybody looks. Off, there is no timer and no ring. */
export class SessionTracer {
  readonly #engine: Pick<Engine, 'trace'>;
  readonly #watches: { readonly watch: SessionWatch; readonly sink: TraceSink }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #droppedBefore = 0;

  constructor(engine: Pick<Engine, 'trace'>) {
    this.#engine = engine;
  }

  /** Shows sessions until the returned function is called. Undefined: too many look already. */
  watch(filter: SessionFilter, sink: TraceSink): (() => void) | undefined {
    if (this.#watches.length === WATCHES_MAX) return undefined;
    this.read();
    const entry = { watch: new SessionWatch(filter, sink.onLine), sink };
    this.#watches.push(entry);
    this.#follow();
    return () => {
      this.read();
      const index = this.#watches.indexOf(entry);
      if (index >= 0) this.#watches.splice(index, 1);
      this.#follow();
    };
  }

  #follow(): void {
    this.#engine.trace.follow(
      this.#watches.map(({ watch }) => watch.filter),
      EVENTS_MAX,
    );
    if (this.#watches.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    } else {
      this.#timer ??= setInterval(() => this.read(), READ_MS);
    }
  }

  /** Hands out what was noted since the last time. */
  read(): void {
    const { trace } = this.#engine;
    trace.drain((record, at, target) => {
      const fits = record[at + TRACE_FITS]!;
      for (let index = 0; index < this.#watches.length; index += 1) {
        if ((fits & (1 << index)) !== 0) this.#watches[index]!.watch.take(record, at, target);
      }
    });
    const dropped = trace.dropped - this.#droppedBefore;
    this.#droppedBefore = trace.dropped;
    for (const { watch, sink } of this.#watches) {
      const events = dropped + watch.forgotten;
      watch.forgotten = 0;
      if (events > 0) sink.onDropped(events);
    }
  }

  close(): void {
    this.read();
    this.#watches.length = 0;
    this.#follow();
  }
}
