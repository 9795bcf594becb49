/** Octets of a stream that were never captured, and the segments that lie behind them. */
import { add, type Seq, sizeBetween } from '../seq.js';
import type { Captured, EarlySegment } from './captured.js';

export class Gap {
  /** The segments behind the gap, as far as the stream goes on with them: the first one surely begins a turn. */
  readonly goesOnWith: readonly EarlySegment[];
  /** Where the stream goes on, or may be joined again. */
  readonly end: Seq;
  /** The last of the segments, when the stream goes on with none of them. */
  readonly last: EarlySegment | undefined;

  constructor(captured: Captured) {
    const early = captured.outOfOrder ?? [];
    const from = firstTurn(captured, early);
    this.goesOnWith = from < 0 ? [] : early.slice(from);
    this.last = from < 0 ? early.at(-1) : undefined;
    if (from >= 0) this.end = early[from]!.seq;
    else this.end = this.last === undefined ? captured.rcvNxt : add(this.last.seq, this.last.bytes.length);
  }
}

/** A client's segment where its SYN was not captured: that of an Ethernet path. */
const SEGMENT_BYTES = 1460;
/** TCP options take so much of a segment at most (RFC 9293 3.1). */
const OPTION_BYTES_MAX = 40;

/**
 * Index of the first segment that begins a turn, or -1. Behind another segment that is one with which the client has heard more,
 * where the other ended what it had to say.
 */
function firstTurn(captured: Captured, early: readonly EarlySegment[]): number {
  if (early[0] !== undefined && beginsTurn(captured, early[0])) return 0;
  for (let index = 1; index < early.length; index += 1) {
    const before = early[index - 1]!;
    const { clientAck, seq } = early[index]!;
    const isBehind = sizeBetween(add(before.seq, before.bytes.length), seq) === 0;
    if (isBehind && before.isPushed && sizeBetween(before.clientAck, clientAck) > 0) return index;
  }
  return -1;
}

/**
 * Whether the first segment behind the missing octets surely begins a turn: the client had more of online than what came before them,
 * all of which the target has given, too; and they are less than a full segment, so they ended what the client had to say: of more, the
 * first segment of a turn might be a part, and this the next one.
 */
function beginsTurn(captured: Captured, { seq, clientAck }: EarlySegment): boolean {
  const { turnAck, rcvNxt, mss } = captured;
  if (sizeBetween(rcvNxt, seq) >= (mss > 0 ? mss : SEGMENT_BYTES) - OPTION_BYTES_MAX) return false;
  const expected = answerBefore(captured);
  return expected !== undefined && sizeBetween(turnAck, clientAck) > expected + (expected >> 3);
}

/**
 * Octets that online sent before the gap and since the last turn began, as far as the target tells: its answer to that turn or, before the
 * first, its greeting. Undefined: it does not tell.
 */
function answerBefore({ sessions: [session], turns, hasSyn }: Captured): number | undefined {
  if (session === undefined) return undefined;
  const { replay, answeredAtGate } = session;
  const answered = replay.receivedBytes - answeredAtGate;
  if (turns.endIndex > 0) return answered > 0 && replay.answerPushed ? answered : undefined;
  // The gap has waited for longer than a greeting takes.
  const isWhole = replay.receivedBytes === 0 || replay.answerPushed;
  return hasSyn && replay.isSynchronized && isWhole ? replay.receivedBytes : undefined;
}
