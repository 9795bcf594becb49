/**
 * Tells intercepts which flows are over, and a fresh one which are open. What an output batch has no room for waits until the
 * caller has drained it.
 */
import type { Lanes } from './lanes.js';
import type { SegmentWriter } from './segment-writer.js';
import type { SessionTable } from './session-table.js';

/** A flow that an intercept knows. */
interface Flow {
  readonly sessionId: number;
  readonly lane: number;
}

export class FlowNotices {
  readonly #table: SessionTable;
  readonly #lanes: Lanes;
  readonly #writer: SegmentWriter;
  /** Flows whose RELEASE had no room. */
  #unreleased: Flow[] = [];
  /** For lanes whose flows are being reopened: the slot at which that goes on. */
  readonly #reopenFrom = new Map<number, number>();

  constructor(table: SessionTable, lanes: Lanes, writer: SegmentWriter) {
    this.#table = table;
    this.#lanes = lanes;
    this.#writer = writer;
  }

  get hasBacklog(): boolean {
    if (this.#unreleased.length > 0) return true;
    for (const lane of this.#reopenFrom.keys()) {
      if (this.#lanes.isUp(lane)) return true;
    }
    return false;
  }

  /** A flow is over. An intercept that is away has forgotten it by itself. */
  release(sessionId: number, lane: number): void {
    if (!this.#lanes.isUp(lane)) return;
    if (!this.#writer.release(sessionId, lane)) this.#unreleased.push({ sessionId, lane });
  }

  /** Tells a fresh intercept of the lane which flows are open. */
  reopen(lane: number): void {
    this.#reopenFrom.set(lane, 0);
    this.#goOnReopening(lane);
  }

  /** Goes on where the batches were full. */
  flush(): void {
    if (this.#unreleased.length > 0) {
      const waiting = this.#unreleased;
      this.#unreleased = [];
      for (const { sessionId, lane } of waiting) this.release(sessionId, lane);
    }
    for (const lane of this.#reopenFrom.keys()) {
      if (this.#lanes.isUp(lane)) this.#goOnReopening(lane);
    }
  }

  forgetLane(lane: number): void {
    this.#reopenFrom.delete(lane);
    this.#unreleased = this.#unreleased.filter((flow) => flow.lane !== lane);
  }

  /** A SYN that is injected late finds its connection and is challenged, no more. */
  #goOnReopening(lane: number): void {
    const sessions = this.#table.all;
    for (let slot = this.#reopenFrom.get(lane)!; slot < sessions.length; slot += 1) {
      const session = sessions[slot];
      if (session?.endpoint?.lane !== lane || !session.holdsPort) continue;
      if (!this.#writer.syn(session)) {
        this.#reopenFrom.set(lane, slot);
        return;
      }
    }
    this.#reopenFrom.delete(lane);
  }
}
