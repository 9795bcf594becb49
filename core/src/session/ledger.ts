/** Settles turns: each is delivered or lost once, in order, and counted. What is settled need not be held any longer. */
import type { Comparison } from '../compare/comparison.js';
import { type EngineCounters, LOSS_REASONS, type LossReason } from '../counters.js';
import type { SessionTrace } from '../trace/session-trace.js';
import { TRACE_KIND } from '../trace/trace-event.js';
import type { AnswerClock } from './answer-clock.js';
import { END_NONE } from './captured.js';
import type { Retention } from './retention.js';
import type { Session } from './session.js';

export class Ledger {
  readonly #counters: EngineCounters;
  readonly #retention: Retention;
  readonly #trace: SessionTrace;
  readonly #clock: AnswerClock;
  readonly #comparison: Comparison | undefined;

  constructor(
    counters: EngineCounters,
    retention: Retention,
    trace: SessionTrace,
    clock: AnswerClock,
    comparison: Comparison | undefined,
  ) {
    this.#clock = clock;
    this.#comparison = comparison;
    this.#counters = counters;
    this.#retention = retention;
    this.#trace = trace;
  }

  /** A turn of the connection has begun: it is pending until it is settled. */
  noteTurn(session: Session, nowMs: number): void {
    this.#counters.turnsCaptured += 1;
    this.#counters.turnsPending += 1;
    if (this.#trace.isOn) this.#noteBegun(session);
    if (session.turnUna === session.captured.turns.endIndex - 1) session.progressMs = nowMs;
  }

  #noteBegun(session: Session): void {
    const { turns } = session.captured;
    this.#trace.note(TRACE_KIND.turnBegun, session, turns.endIndex - 1, turns.offsetOf(turns.endIndex - 1));
  }

  /** Counts the turns that the target has taken whole. */
  settle(session: Session): void {
    const { replay, captured } = session;
    const { turns } = captured;
    while (session.turnUna < session.turnNxt) {
      const end = session.endOf(session.turnUna);
      if (replay.sndUnaOffset < end || turns.isBroken(session.turnUna)) break;
      if (session.script?.isUnknown(session.turnUna)) break;
      // The last turn may still grow; once the target answers it is whole (what comes later is counted as another).
      const isLast = session.turnUna + 1 === turns.endIndex;
      if (isLast && captured.end === END_NONE && !session.isAnsweredBeyond(session.answeredAtGate)) break;
      session.resumes = 0;
      this.#deliver(session);
    }
    this.#retention.trim(captured);
  }

  #deliver(session: Session): void {
    if (this.#trace.isOn) this.#trace.note(TRACE_KIND.delivered, session, session.turnUna);
    if (session.target.meter !== undefined) this.#clock.delivered(session);
    session.turnUna += 1;
    session.isLastLost = false;
    this.#counters.turnsDelivered += 1;
    this.#counters.turnsPending -= 1;
  }

  /** Counts a last turn as delivered that is acknowledged whole, answered or not. Returns whether it was. */
  settleAcknowledged(session: Session): boolean {
    const { replay, captured } = session;
    if (!replay.isSynchronized || session.turnUna >= session.turnNxt) return false;
    if (replay.sndUnaOffset < session.endOf(session.turnUna)) return false;
    if (captured.turns.isBroken(session.turnUna) || session.script?.isUnknown(session.turnUna)) return false;
    this.#deliver(session);
    this.#retention.trim(captured);
    return true;
  }

  /** The first turn that begins at or after `offset`. */
  turnAfter(session: Session, offset: number): number {
    const { turns } = session.captured;
    let index = Math.max(session.turnUna, turns.firstIndex);
    while (index < turns.endIndex && session.startOf(index) < offset) index += 1;
    return index;
  }

  /** Counts the turns before `turn` that are not settled as lost. Those with octets that were never captured are lost for that, whatever ends them. */
  lose(session: Session, turn: number, reason: LossReason): void {
    const count = turn - session.turnUna;
    if (count <= 0) return;
    if (this.#trace.isOn) {
      this.#trace.note(TRACE_KIND.lost, session, session.turnUna, count, LOSS_REASONS.indexOf(reason));
    }
    this.#comparison?.noteLost(session, session.turnUna, count, reason);
    const broken = reason === 'captureGap' ? count : brokenTurns(session, turn);
    session.failure = broken === count ? 'captureGap' : reason;
    if (broken > 0) this.#clock.lost(session, 'captureGap', broken);
    if (broken < count) this.#clock.lost(session, reason, count - broken);
    session.turnUna = turn;
    session.isLastLost = true;
    if (session.turnNxt < turn) session.turnNxt = turn;
    this.#counters.turnsLost.captureGap += broken;
    if (broken < count) this.#counters.turnsLost[reason] += count - broken;
    this.#counters.turnsPending -= count;
    this.#retention.trim(session.captured);
  }
}

/** Of the turns before `end` that are not settled, those that the capture has not whole. */
function brokenTurns({ turnUna, captured }: Session, end: number): number {
  let count = 0;
  if (captured.turns.brokenCount === 0) return count;
  for (let index = turnUna; index < end; index += 1) if (captured.turns.isBroken(index)) count += 1;
  return count;
}
