/**
 * Writes the segments of sessions' target connections: text as turns and windows allow it, and what keeps a connection going. What the
 * output batch has no room for, or what has no way just now, is not sent; the session goes on later.
 */
import { assert } from '../assert.js';
import type { Comparison } from '../compare/comparison.js';
import type { EngineCounters } from '../counters.js';
import { add, type Seq } from '../seq.js';
import type { SessionTrace } from '../trace/session-trace.js';
import { TRACE_KIND } from '../trace/trace-event.js';
import { ACK, FIN, PSH, RST } from '../wire/tcp.js';
import type { AnswerClock } from './answer-clock.js';
import type { Lanes } from './lanes.js';
import { CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT_1, LAST_ACK, SYN_SENT } from './replay.js';
import type { SegmentWriter } from './segment-writer.js';
import type { Session } from './session.js';

/** RFC 9293 3.8.6.3 allows 500 ms; Linux uses 40. A turn that follows carries the acknowledgement for free. */
const DELAYED_ACK_MS = 40;
/**
 * So many full segments of a connection's first answer are acknowledged at once, as Linux does before it has seen both sides talk (quickack):
 * a target that writes head and body apart, without TCP_NODELAY, waits for that.
 */
const QUICK_ACK_SEGMENTS = 16;

export interface TargetSenderParts {
  readonly counters: EngineCounters;
  readonly lanes: Lanes;
  readonly writer: SegmentWriter;
  readonly trace: SessionTrace;
  readonly comparison: Comparison | undefined;
}

export class TargetSender {
  readonly #counters: EngineCounters;
  readonly #lanes: Lanes;
  readonly #writer: SegmentWriter;
  readonly #trace: SessionTrace;
  readonly #comparison: Comparison | undefined;
  readonly #clock: AnswerClock;
  /** Sessions whose output had no room: they go on when the caller has drained the batches. */
  readonly #blocked: Session[] = [];

  constructor({ counters, lanes, writer, trace, comparison }: TargetSenderParts, clock: AnswerClock) {
    this.#counters = counters;
    this.#lanes = lanes;
    this.#writer = writer;
    this.#trace = trace;
    this.#comparison = comparison;
    this.#clock = clock;
  }

  get hasBlocked(): boolean {
    return this.#blocked.length > 0;
  }

  /** The batches were drained: gives `touch` every session that waited for that. */
  unblock(touch: (session: Session) => void): void {
    for (const session of this.#blocked) touch(session);
    this.#blocked.length = 0;
  }

  /** Whether there is a way to the session's endpoint just now. */
  isReachable({ endpoint }: Session): boolean {
    return endpoint !== undefined && this.#lanes.isUp(endpoint.lane);
  }

  syn(session: Session): void {
    if (!this.isReachable(session)) return;
    this.#writer.syn(session);
    if (this.#trace.isOn) this.#noteSyn(session);
  }

  #noteSyn(session: Session): void {
    this.#trace.note(TRACE_KIND.synSent, session, session.clientPort, session.replay.retransmits);
  }

  /** Sends what turns and windows allow (RFC 9293 3.8.6.2.1: no silly segments while data is in flight). */
  text(session: Session, nowMs: number): void {
    const { replay, captured, script } = session;
    if (!this.isReachable(session) || replay.hasSentFin) return;
    const limit = session.sendLimit();
    if (replay.mustRetransmit && replay.sndUnaOffset < replay.sndMaxOffset) {
      const bytes = Math.min(replay.mss, replay.sndMaxOffset - replay.sndUnaOffset);
      if (this.#sendData(session, replay.sndUnaOffset, bytes, limit, nowMs)) this.#counters.segmentsRetransmitted += 1;
      replay.mustRetransmit = false;
    }
    if (replay.sndNxtOffset >= limit || session.turnNxt === session.turnUna) return;
    if (replay.sndNxtOffset === replay.sndUnaOffset && nowMs - session.progressMs > replay.rtoMs) {
      if (replay.retransmits === 0) replay.restartAfterIdle();
    }
    assert((script?.out ?? captured.stream).startOffset <= replay.sndNxtOffset, 'unsent bytes are held');
    while (replay.sndNxtOffset < limit) {
      const usable = replay.usableWindow();
      const left = limit - replay.sndNxtOffset;
      const bytes = Math.min(replay.mss, left, usable);
      if (bytes <= 0) break;
      if (bytes < left && bytes < replay.mss && replay.sndNxtOffset > replay.sndUnaOffset) break;
      const offset = replay.sndNxtOffset;
      const isRetransmission = offset < replay.sndMaxOffset;
      if (!this.#sendData(session, offset, bytes, limit, nowMs)) return;
      if (isRetransmission) this.#counters.segmentsRetransmitted += 1;
    }
    // RFC 9293 3.8.6.1: a closed window is probed with the retransmission timer's back-off.
    if (replay.sndNxtOffset < limit && replay.rtoAtMs === 0) replay.rtoAtMs = nowMs + replay.rtoMs;
  }

  /** The first segment that is not acknowledged again, before its timer has run out (RFC 8985 7.3). */
  lossProbe(session: Session, nowMs: number): void {
    const { replay } = session;
    const bytes = Math.min(replay.mss, replay.sndMaxOffset - replay.sndUnaOffset);
    if (!this.#sendData(session, replay.sndUnaOffset, bytes, session.sendLimit(), nowMs)) return;
    replay.noteProbe(nowMs);
    this.#counters.segmentsRetransmitted += 1;
    this.#counters.lossProbes += 1;
  }

  #sendData(session: Session, offset: number, bytes: number, limit: number, nowMs: number): boolean {
    const { replay } = session;
    const isEnd = offset + bytes === limit;
    if (!this.#writer.segment(session, isEnd ? ACK | PSH : ACK, offset, bytes)) {
      this.#blocked.push(session);
      return false;
    }
    if (this.#trace.isOn) this.#noteText(session, offset, bytes);
    if (isEnd && offset + bytes > replay.sndMaxOffset && session.script?.isPrologue !== true) this.#clock.sent(session);
    this.#comparison?.noteSent(session, offset, bytes, nowMs);
    replay.noteSent(offset, bytes, nowMs);
    session.ackAtMs = 0;
    return true;
  }

  #noteText(session: Session, offset: number, bytes: number): void {
    const isAgain = offset < session.replay.sndMaxOffset;
    this.#trace.note(isAgain ? TRACE_KIND.retransmitted : TRACE_KIND.sent, session, offset, bytes);
  }

  /** Our FIN behind all that was sent. */
  fin(session: Session, nowMs: number): void {
    const { replay } = session;
    if (!this.#writer.segment(session, FIN | ACK, replay.sndMaxOffset, 0)) {
      this.#blocked.push(session);
      return;
    }
    if (this.#trace.isOn) this.#trace.note(TRACE_KIND.finSent, session);
    replay.hasSentFin = true;
    replay.noteSent(replay.sndMaxOffset, 0, nowMs);
    session.ackAtMs = 0;
    if (replay.state === ESTABLISHED) replay.state = FIN_WAIT_1;
    else if (replay.state === CLOSE_WAIT) replay.state = LAST_ACK;
  }

  /** The FIN once more, or instead of anything else: nothing about the connection changes by it. */
  bareFin(session: Session): void {
    if (this.isReachable(session)) this.#writer.segment(session, FIN | ACK, session.replay.sndMaxOffset, 0);
  }

  /** One octet beyond the closed window, which the target answers with its window (RFC 9293 3.8.6.1). */
  probe(session: Session, nowMs: number): void {
    const { replay } = session;
    if (!this.#writer.segment(session, ACK, replay.sndUnaOffset, 1)) return;
    replay.noteSent(replay.sndUnaOffset, 1, nowMs);
    // The target may have thrown it away: when the window opens it goes again with the rest.
    replay.sndNxtOffset = replay.sndUnaOffset;
  }

  /** A reset at a number of the target's choice. */
  resetAt(session: Session, number: Seq): void {
    if (this.isReachable(session)) this.#writer.bare(session, RST, number);
  }

  /** Resets the target connection. Our place in it is behind all that was sent: RFC 5961 3.2 wants it exact. */
  reset(session: Session): void {
    const { replay } = session;
    if (replay.state === CLOSED || !this.isReachable(session)) return;
    if (this.#trace.isOn) this.#trace.note(TRACE_KIND.resetSent, session);
    // The target may have answered our SYN already: its half-open connection goes too (RFC 9293 3.10.4, SYN-SENT).
    if (replay.state === SYN_SENT) this.#writer.bare(session, RST, add(replay.iss, 1));
    else this.#writer.segment(session, RST | ACK, this.#endOfSent(session), 0);
  }

  /** Stream offset behind everything sent, our FIN included: SND.NXT as the target knows it. */
  #endOfSent(session: Session): number {
    return session.replay.sndMaxOffset + (session.replay.hasSentFin ? 1 : 0);
  }

  /** Sends the acknowledgement that is due, or sees that it will be. */
  acknowledge(session: Session, nowMs: number): void {
    const { replay } = session;
    const isPending = replay.rcvNxt !== replay.rcvAcked;
    if (!replay.mustAck && !isPending) return;
    if (!this.isReachable(session)) return;
    const owed = (replay.rcvNxt - replay.rcvAcked) | 0;
    const isFirst = session.answeredAtGate === 0 && replay.receivedBytes <= QUICK_ACK_SEGMENTS * replay.mss;
    // RFC 9293 3.8.6.3: at least every second full segment.
    if (replay.mustAck || isFirst || owed >= 2 * replay.mss || (session.ackAtMs !== 0 && nowMs >= session.ackAtMs)) {
      if (!this.#writer.segment(session, ACK, this.#endOfSent(session), 0)) {
        this.#blocked.push(session);
        return;
      }
      replay.noteAcked();
      session.ackAtMs = 0;
    } else if (session.ackAtMs === 0) {
      session.ackAtMs = nowMs + DELAYED_ACK_MS;
    }
  }
}
