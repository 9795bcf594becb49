/**
 * Measures how long a target's answers take, for whoever gave it a TargetMeter. Without one it costs a comparison.
 *
 * The time of a turn begins when its last octet goes out for the first time, so that an upload is not part of it, and ends with each
 * segment of the answer. A segment belongs to the answer if it acknowledges the turn whole: what comes earlier answers the turn
 * before, or was said before the target could know all of it.
 *
 * Where intercept injects, a segment says itself how long it came after the injection: that is the target's own time, without the way
 * between the hosts and without what waits in the channel. Otherwise, and where that is the larger one (it counts from the injection of
 * another segment than the copy's), it is the time between sending and hearing here.
 */
import { elapsedUsOf } from '../batch/response-record-writer.js';
import type { LossReason } from '../counters.js';
import { AnswerTimes } from './answer-times.js';
import type { Session } from './session.js';

/** No such time yet. */
const NONE = -1;

export class AnswerClock {
  /** The engine's time, which it sets whenever it is called. */
  nowMs = 0;
  nowUs = 0;
  /** By the slots of sessions, for those whose target is measured; one that was made stays for the next session with the slot. */
  readonly #times: (AnswerTimes | undefined)[] = [];

  connected({ target }: Session): void {
    target.meter?.connected(this.nowMs);
  }

  lost({ target }: Session, reason: LossReason, turns: number): void {
    target.meter?.lost(reason, turns, this.nowMs);
  }

  /** The turn turnUna was. */
  delivered({ target, captured, turnUna }: Session): void {
    target.meter?.delivered(captured.endOfTurn(turnUna) - captured.turns.offsetOf(turnUna), this.nowMs);
  }

  /** The last octet of the turns that were let go has gone out for the first time on this connection. */
  sent(session: Session): void {
    const { target, slot, turnNxt } = session;
    if (target.meter === undefined) return;
    this.#times[slot] ??= new AnswerTimes();
    const answer = this.#times[slot];
    // One that goes before the answer to the one before has begun (-W): whose answer comes next nobody can tell.
    const isBlurred = answer.askedAtUs !== NONE && answer.firstUs === NONE && answer.askedTurn !== turnNxt;
    this.settle(session);
    answer.askedTurn = turnNxt;
    answer.askedAtUs = isBlurred ? NONE : this.nowUs;
  }

  /** Octets of the target have come that are new; the record at `at` of `bytes` brought them. */
  answered(session: Session, bytes: Uint8Array, at: number, octets: number): void {
    const { meter } = session.target;
    if (meter === undefined) return;
    meter.octets(octets, this.nowMs);
    const { slot, replay } = session;
    const answer = this.#times[slot];
    if (answer === undefined || answer.askedAtUs === NONE) return;
    if (replay.sndUnaOffset < session.endOf(session.turnNxt - 1)) return;
    const hereUs = this.nowUs - answer.askedAtUs;
    const thereUs = elapsedUsOf(bytes, at);
    const elapsedUs = thereUs === NONE ? hereUs : Math.min(thereUs, hereUs);
    if (answer.firstUs === NONE) {
      answer.firstUs = elapsedUs;
      meter.firstOctet(elapsedUs, this.nowMs);
    }
    answer.lastUs = Math.max(elapsedUs, answer.lastUs);
    answer.lastAtMs = this.nowMs;
  }

  /** Nothing more belongs to the answer of the last turn: another one goes, or the connection is over. */
  settle({ target, slot }: Session): void {
    const answer = target.meter === undefined ? undefined : this.#times[slot];
    if (answer === undefined || answer.askedAtUs === NONE) return;
    if (answer.firstUs !== NONE) target.meter?.lastOctet(answer.lastUs, answer.lastAtMs);
    answer.askedAtUs = NONE;
    answer.firstUs = NONE;
    answer.lastUs = NONE;
  }
}
