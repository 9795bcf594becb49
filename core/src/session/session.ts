/**
 * One captured connection replayed to one target once: the captured half is shared by all sessions of the connection, the
 * replay half is the session's own. Turns are settled in order: `turnUna` is the first that is neither delivered nor
 * lost, `turnNxt` the first that may not be sent yet.
 *
 *   turns   ... settled | turnUna ... allowed | turnNxt ... held until the target has answered
 */
import type { LossReason } from '../counters.js';
import type { Captured } from './captured.js';
import type { EndpointState } from './endpoint-state.js';
import { NOT_OPENING } from './opening-window.js';
import { Replay } from './replay.js';
import type { Script } from './script.js';
import type { TargetState } from './target-state.js';

/** Nothing is to be sent or settled. */
export const WORK_NONE = 0;
/** In the list of sessions that have something to send or to settle. */
export const WORK_DUE = 1;
/** It has ended: there will be none. */
export const WORK_OVER = 2;

/** The slot's bits of an id; above them is a generation. */
export const SLOT_MASK = 0xf_ffff;

export class Session {
  /**
   * What intercept calls it: slot and generation, so that an answer to a dead session is not taken for a live one's. Another
   * one at another endpoint.
   */
  id: number;
  readonly captured: Captured;
  readonly replay = new Replay();
  readonly target: TargetState;
  /** Where it is played to; undefined while the target has none. Changes only between two target connections. */
  endpoint: EndpointState | undefined;
  /** 0 for the first copy, which keeps the client's port if it can. */
  readonly copy: number;
  /** Source address towards the target; shared, never written. */
  readonly clientAddress: Uint8Array;
  /** Source port towards the target. */
  clientPort: number;
  /** Whether (clientAddress, clientPort, endpoint) is taken in the port table, and intercept told. */
  holdsPort = false;
  /** Where it stands with its endpoint's window: NOT_OPENING and the like. */
  opening: number = NOT_OPENING;
  turnUna: number;
  turnNxt: number;
  /** replay.receivedBytes when the last gate opened: what came since answers the turns after it. */
  answeredAtGate = 0;
  /**
   * Octets that the target had sent beyond what the last gate asked for: on a connection that speaks in both directions at
   * once the answer to the next turn, where that needs none of its own.
   */
  surplusBytes = 0;
  /** Whether turn turnNxt - 1 has been counted as answered. */
  answerCounted = true;
  /** Where the turn begins that was let go on trust in PSH alone; -1 when the last gate opened otherwise. */
  trustedAtOffset = -1;
  /** When something last moved: a turn came, bytes were acknowledged or answered. */
  progressMs: number;
  /** Delayed acknowledgement; 0 = none. */
  ackAtMs = 0;
  /** When a held turn's gate opens by quiet; 0 = no such time. */
  gateAtMs = 0;
  /** End of FIN-WAIT-2 and TIME-WAIT; 0 = none. */
  lingerAtMs = 0;
  /** Fresh connections made in a row without a turn delivered. */
  resumes = 0;
  /** Why turns were lost last; undefined: none were. */
  failure: LossReason | undefined = undefined;
  /** Turns until then are lost for the same reason. */
  retryAtMs = 0;
  /** Why the last target connection is gone: what goes on with a turn of it is lost for that reason. */
  partingReason: LossReason = 'targetReset';
  /** Whether the turn before turnUna was lost: the rest of it, which the client may still send, is of no use. */
  isLastLost = false;
  /** WORK_*. */
  work: number = WORK_NONE;

  constructor(
    id: number,
    captured: Captured,
    target: TargetState,
    endpoint: EndpointState | undefined,
    copy: number,
    clientAddress: Uint8Array,
    clientPort: number,
    turn: number,
    nowMs: number,
  ) {
    this.id = id;
    this.captured = captured;
    this.target = target;
    this.endpoint = endpoint;
    this.copy = copy;
    this.clientAddress = clientAddress;
    this.clientPort = clientPort;
    this.turnUna = turn;
    this.turnNxt = turn;
    this.progressMs = nowMs;
  }

  /** What is sent in the place of the client's stream; undefined: that stream itself. */
  get script(): Script | undefined {
    return undefined;
  }

  /** Where turn `index` begins in what is sent. */
  startOf(index: number): number {
    return this.script === undefined ? this.captured.turns.offsetOf(index) : this.script.startOf(index);
  }

  /** Where it ends so far; with a script Infinity as long as not all of it that there is can be sent. */
  endOf(index: number): number {
    return this.script === undefined ? this.captured.endOfTurn(index) : this.script.endOf(this, index);
  }

  /** Where that ends which may be sent now. */
  sendLimit(): number {
    return this.script === undefined ? this.captured.endOfTurn(this.turnNxt - 1) : this.script.out.endOffset;
  }

  /**
   * Whether the target has answered on its connection, with octets beyond the first `bytes` that it sent. Neither its greeting is an
   * answer, which a turn may overtake (-W), nor its FIN: a target that closes its side first may well read on.
   */
  isAnsweredBeyond(bytes: number): boolean {
    const { receivedBytes, hasPeerFin } = this.replay;
    return receivedBytes - (hasPeerFin ? 1 : 0) > Math.max(bytes, this.captured.greetingBytes);
  }

  get isFinished(): boolean {
    return this.work === WORK_OVER;
  }

  /** Index in the table of sessions. */
  get slot(): number {
    return this.id & SLOT_MASK;
  }
}
