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

/** Index of the first segment that begins a turn, or -1. */
function firstTurn({ sessions, turns, turnAck }: Captured, early: readonly EarlySegment[]): number {
  // What the target answered so far tells whether an answer lies between the last turn and the segment.
  const answered = sessions[0]?.replay.receivedBytes ?? 0;
  const base = sessions[0]?.answeredAtGate ?? 0;
  let previousAck = turnAck;
  let expected = turns.endIndex > 0 ? answered - base : 0;
  for (let index = 0; index < early.length; index += 1) {
    const { clientAck } = early[index]!;
    const advance = sizeBetween(previousAck, clientAck);
    // The first segment behind the gap begins a turn only if the client had more answers than to the turn before it.
    if (index === 0 ? expected > 0 && advance > expected + (expected >> 3) : advance > 0) return index;
    previousAck = clientAck;
    expected = 0;
  }
  return -1;
}
