/** The turns of one connection that are being compared, in order, and where each of its targets is in them. */
import type { Captured } from '../session/captured.js';
import type { Session } from '../session/session.js';
import type { Exchange } from './exchange.js';

/** One session of the connection: what its target says, cut into answers. */
export class ComparedSide {
  readonly session: Session;
  /** The turn that what comes now answers. */
  turn: number;
  /** Where its answer begins in what the target has sent on its connection, and how far that was seen. */
  startBytes: number;
  endBytes: number;
  hasEnded = false;

  constructor(session: Session, turn: number) {
    this.session = session;
    this.turn = turn;
    this.startBytes = session.replay.receivedBytes;
    this.endBytes = this.startBytes;
  }
}

export class ComparedConnection {
  readonly captured: Captured;
  /** Of turns from `firstTurn` on. */
  readonly exchanges: Exchange[] = [];
  firstTurn: number;
  readonly sides: ComparedSide[] = [];
  lastActivityMs: number;
  /** The client did not wait for answers: what answers which turn is not sure from here on. */
  isPipelined = false;
  /** Not a sequence of requests and answers. */
  isMultiplexed = false;

  constructor(captured: Captured, firstTurn: number, nowMs: number) {
    this.captured = captured;
    this.firstTurn = firstTurn;
    this.lastActivityMs = nowMs;
  }

  /** Undefined when it is over, or has not begun. */
  at(turn: number): Exchange | undefined {
    return this.exchanges[turn - this.firstTurn];
  }

  get last(): Exchange | undefined {
    return this.exchanges[this.exchanges.length - 1];
  }

  /** Takes sessions in that were made since: with `turn`, which begins now, at the earliest. */
  addSides(turn: number): void {
    if (this.exchanges.length === 0) this.#dropEnded();
    for (const session of this.captured.sessions) {
      if (session.copy > 0 || this.sideOf(session) >= 0) continue;
      this.sides.push(new ComparedSide(session, turn - 1));
    }
  }

  sideOf(session: Session): number {
    const { sides } = this;
    for (let index = 0; index < sides.length; index += 1) if (sides[index]!.session === session) return index;
    return -1;
  }

  /** Forgets sides whose sessions have ended, while no exchange counts them. */
  #dropEnded(): void {
    const { sides } = this;
    for (let index = sides.length - 1; index >= 0; index -= 1) if (sides[index]!.hasEnded) sides.splice(index, 1);
  }
}
