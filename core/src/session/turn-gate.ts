/**
 * Holds each turn until the target has answered the one before as far as online had, as the client waited too. docs/session.md
 * has the table of what counts as an answer.
 */
import type { Comparison } from '../compare/comparison.js';
import type { SessionTrace } from '../trace/session-trace.js';
import { GATE_REASONS, type GateReason, TRACE_KIND } from '../trace/trace-event.js';
import type { Session } from './session.js';

/** A FIN comes this soon behind the answer of a server that closes after it, also on a busy host. */
const QUIET_BEFORE_CLOSE_MS = 20;
/** An answer whose last octets had PSH, and that is much shorter than online's, is over after so long. */
const QUIET_AFTER_PUSH_MS = 10;
/** A turn whose answer may have come before it is taken for answered after so long. */
const QUIET_AFTER_SURPLUS_MS = 40;
/** The same without PSH: longer than a delayed acknowledgement and a retransmission at the target. */
const QUIET_MS = 300;
/** For a comparison: an answer of another length than online's, and that does not say its own, is over so long after its PSH. */
const QUIET_COMPARED_MS = 50;
/** The same where the answer says that more of it comes. */
const QUIET_UNFINISHED_MS = 3000;
/** How far an answer may fall short of online's and count as whole when it ends with PSH: a date, a version, a length. */
const ANSWER_SLACK_BYTES = 512;

export class TurnGate {
  readonly #wait: boolean;
  readonly #trace: SessionTrace;
  readonly #comparison: Comparison | undefined;
  /** Why isAnswered() said so last. */
  #reason: GateReason = 'nothingAwaited';

  /** `wait` false: every gate is open (-W). */
  constructor(wait: boolean, trace: SessionTrace, comparison: Comparison | undefined) {
    this.#wait = wait;
    this.#trace = trace;
    this.#comparison = comparison;
  }

  /** Lets turns go that are due. */
  open(session: Session, nowMs: number): void {
    const { turns } = session.captured;
    session.gateAtMs = 0;
    if (session.captured.opening !== undefined) return;
    // A target that has closed gets nothing new on this connection, unless it closed its side before it was sent anything:
    // such a one means to go on reading.
    const { replay } = session;
    if (replay.hasPeerFin && replay.sndMaxOffset > replay.baseOffset) return;
    while (session.turnNxt < turns.endIndex && !turns.isBroken(session.turnNxt)) {
      // Part of a turn went out before octets of it turned out to be missing: on this connection another one would be its rest.
      if (session.turnNxt > session.turnUna && turns.isBroken(session.turnNxt - 1)) return;
      const expected = this.#expectedBefore(session, session.turnNxt);
      if (!this.isAnswered(session, expected, nowMs)) return;
      if (expected > 0) {
        const answered = session.replay.receivedBytes - session.answeredAtGate;
        // What was not used is for one turn more; a target whose answers are a little longer must not save them up.
        session.surplusBytes = Math.max(0, answered > 0 ? answered - expected : session.surplusBytes - expected);
        session.answeredAtGate = session.replay.receivedBytes;
        session.answerCounted = false;
      } else if (session.turnNxt === session.turnUna) {
        session.answerCounted = false;
      }
      if (this.#trace.isOn) this.#note(session);
      session.turnNxt += 1;
      session.script?.pull(session);
    }
  }

  /** Octets of online that the client had before it sent turn `index`. On a fresh connection that is the greeting. */
  #expectedBefore(session: Session, index: number): number {
    const { captured, replay } = session;
    const { script } = session;
    const isFirst =
      script === undefined ? captured.turns.offsetOf(index) === replay.baseOffset : script.isFirstTurn(index);
    if (script?.isSilent(session, index - 1)) return 0;
    return isFirst ? captured.greetingBytes : captured.turns.answerBefore(index);
  }

  /** Whether the target has answered what was sent, as online had when the client went on. */
  isAnswered(session: Session, expected: number, nowMs: number): boolean {
    if (expected <= 0 || !this.#wait) return this.#open(expected <= 0 ? 'nothingAwaited' : 'noWait');
    const { replay, target } = session;
    // All turns that were let go must be out before their answer can be.
    if (replay.sndNxtOffset < session.endOf(session.turnNxt - 1)) return false;
    // Nothing more will come, whenever it closed.
    if (replay.hasPeerFin) return this.#open('targetClosed');
    const answered = replay.receivedBytes - session.answeredAtGate;
    if (answered <= 0) return this.#isAnsweredBefore(session, expected, nowMs);
    if (this.#comparison !== undefined && session.copy === 0) {
      return this.#isAnsweredExactly(this.#comparison, session, answered === expected, nowMs);
    }
    const isNearEnd = expected - answered <= Math.max(ANSWER_SLACK_BYTES, expected >> 3);
    if (answered >= expected || (replay.answerPushed && isNearEnd)) {
      if (!target.mayCloseAfterAnswer) return this.#open('answerWhole');
      const closedAtMs = replay.lastAnswerMs + QUIET_BEFORE_CLOSE_MS;
      if (nowMs >= closedAtMs) return this.#open('answerWhole');
      session.gateAtMs = closedAtMs;
      return false;
    }
    if (replay.answerPushed && target.isPushTrusted && !target.mayCloseAfterAnswer) {
      session.trustedAtOffset = session.endOf(session.turnNxt - 1);
      return this.#open('pushTrusted');
    }
    const quietAtMs = replay.lastAnswerMs + (replay.answerPushed ? QUIET_AFTER_PUSH_MS : QUIET_MS);
    if (nowMs >= quietAtMs) {
      if (replay.answerPushed) target.confirmPush();
      return this.#open('quiet');
    }
    session.gateAtMs = quietAtMs;
    return false;
  }

  /**
   * For a comparison the whole answer must be there before the next turn goes: what comes behind it counts as the answer to that one. So
   * no answer is near its end, and PSH alone proves nothing.
   */
  #isAnsweredExactly(comparison: Comparison, session: Session, isAsLong: boolean, nowMs: number): boolean {
    const { replay, target } = session;
    const isWhole = comparison.isAnswerWhole(session);
    if (isWhole ?? (isAsLong && replay.answerPushed)) {
      if (!target.mayCloseAfterAnswer) return this.#open('answerWhole');
      const closedAtMs = replay.lastAnswerMs + QUIET_BEFORE_CLOSE_MS;
      if (nowMs >= closedAtMs) return this.#open('answerWhole');
      session.gateAtMs = closedAtMs;
      return false;
    }
    const quietMs = isWhole === false ? QUIET_UNFINISHED_MS : replay.answerPushed ? QUIET_COMPARED_MS : QUIET_MS;
    session.gateAtMs = replay.lastAnswerMs + quietMs;
    return nowMs >= session.gateAtMs && this.#open('quiet');
  }

  /**
   * Whether the target has said all that it has to say, before a reset takes away what its program has not read: no shortcut
   * counts, and -W does not either.
   */
  isAnsweredWhole(session: Session, expected: number, nowMs: number): boolean {
    const { replay } = session;
    const answered = replay.receivedBytes - session.answeredAtGate;
    if (answered >= expected || replay.hasPeerFin) return true;
    if (answered <= 0) return this.#isAnsweredBefore(session, expected, nowMs);
    session.gateAtMs = replay.lastAnswerMs + QUIET_MS;
    return nowMs >= session.gateAtMs;
  }

  /**
   * Nothing has come since the last gate, but before it more than that asked for: on a connection that speaks in both
   * directions at once (HTTP/2, WebSocket) a turn may need no answer of its own, like a window update after text that the
   * target has sent already. It holds up the next one for a short quiet time only.
   */
  #isAnsweredBefore(session: Session, expected: number, nowMs: number): boolean {
    const { replay } = session;
    if (session.surplusBytes < expected || replay.sndUnaOffset < replay.sndMaxOffset) return false;
    const quietAtMs = Math.max(replay.lastAnswerMs, session.progressMs) + QUIET_AFTER_SURPLUS_MS;
    if (nowMs >= quietAtMs) return this.#open('answeredBefore');
    session.gateAtMs = quietAtMs;
    return false;
  }

  #open(reason: GateReason): true {
    this.#reason = reason;
    return true;
  }

  #note(session: Session): void {
    this.#trace.note(TRACE_KIND.gateOpened, session, session.turnNxt, GATE_REASONS.indexOf(this.#reason));
  }
}
