/**
 * Puts what online and the targets answer to each turn side by side (`copy --compare`).
 *
 *   client  --text-->    beginTurn, noteRequest           which turns there are
 *   online  --answer-->  noteOnline                       from the capture
 *   engine  --text-->    noteConnect, noteSent            to each target
 *   target  --answer-->  noteAnswer                       first octets of each segment, from intercept
 *
 * Which octets answer which turn:
 *
 *  - of online: what the client had acknowledged when it went on is the answer to what it had sent before; the turn's answer begins there.
 *  - of a target: a segment that acknowledges octets of a turn was sent after they had come, one that does not was sent before. So what
 *    comes up to then answers the turn before.
 *
 * Only the first copy of a connection (-n) is compared. What is followed is limited (exchange-book.ts); turns for which there is no room
 * are counted.
 */

import { RESPONSE_FLAGS, RESPONSE_PAYLOAD_BYTES, RESPONSE_SEQ } from '../batch/response-record.js';
import { elapsedUsOf } from '../batch/response-record-writer.js';
import type { LossReason } from '../counters.js';
import { seq, sizeBetween } from '../seq.js';
import { type Captured, END_FIN, END_RESET } from '../session/captured.js';
import type { Session } from '../session/session.js';
import { readI32, readU32 } from '../wire/bytes.js';
import type { PacketHeader } from '../wire/packet-header.js';
import { FIN, RST, SYN } from '../wire/tcp.js';
import { NEVER_US } from './answer.js';
import type { CompareConfig } from './compare-config.js';
import type { ComparedConnection } from './compared-connection.js';
import type { ComparisonReport } from './comparison-report.js';
import { type Exchange, TARGET_CLOSED, TARGET_LOST, TARGET_OPEN, type TargetPart } from './exchange.js';
import { ExchangeBook } from './exchange-book.js';

/** An answer that has not grown for so long has ended, if nothing else says so. */
const QUIET_MS = 5000;
/** At the end of the copy: answers that came so lately may not be at their ends. */
const INTERRUPTED_MS = 500;
/** Octets of an answer beyond which no segment belongs to it. */
const AHEAD_BYTES_MAX = 0x3fffffff;

export class Comparison {
  readonly report: ComparisonReport;
  readonly #book: ExchangeBook;

  constructor(config: CompareConfig) {
    this.#book = new ExchangeBook(config);
    this.report = this.#book.report;
  }

  /** Answers that are followed now. */
  get answersInUse(): number {
    return this.#book.answersInUse;
  }

  /** The connection's last turn has begun; `continues`: it goes on with the one before, which was answered too early. */
  beginTurn(captured: Captured, continues: boolean, nowMs: number): void {
    const turn = captured.turns.endIndex - 1;
    const connection = this.#book.connectionOf(captured, turn, nowMs);
    const before = connection.last;
    if (before !== undefined && !before.isOver) {
      if (continues) before.incomparable ??= 'notAligned';
      else if (!before.isOnlineClosed) before.endOnlineAt(captured.turnAck);
    }
    if (this.#book.isFull) {
      this.#book.abandon(connection);
      this.report.noteIncomparable('noRoom');
      return;
    }
    connection.addSides(turn);
    const exchange = this.#book.begin(connection, turn);
    if (continues || !captured.hasClientAck) exchange.incomparable ??= 'notAligned';
    connection.lastActivityMs = nowMs;
    if (before !== undefined && !before.isOver) {
      before.handOnSurplus(exchange);
      this.#book.settle(connection, before);
    }
  }

  /** More of the last turn's request: `length` octets at `offset`, captured at `atUs`. */
  noteRequest(captured: Captured, bytes: Uint8Array, offset: number, length: number, atUs: number): void {
    const exchange = this.#book.find(captured)?.last;
    if (exchange?.online === undefined) return;
    exchange.takeRequest(bytes, offset, length);
    if (exchange.online.firstAtUs === NEVER_US) exchange.requestAtUs = atUs;
  }

  /** online --segment--> client, as captured at `atUs`. */
  noteOnline(captured: Captured, bytes: Uint8Array, header: PacketHeader, atUs: number, nowMs: number): void {
    const connection = this.#book.find(captured);
    if (connection === undefined) return;
    const { payloadBytes, payloadBytesPresent, payloadOffset, flags } = header;
    if (payloadBytes > 0) connection.lastActivityMs = nowMs;
    for (let index = connection.exchanges.length - 1; index >= 0; index -= 1) {
      const exchange = connection.exchanges[index]!;
      const { online } = exchange;
      const ahead = sizeBetween(exchange.onlineStart, header.seq);
      if (online === undefined || exchange.isOver || exchange.isOnlineClosed) continue;
      const skipped = Math.max(-ahead, 0);
      if (skipped < payloadBytes && ahead <= AHEAD_BYTES_MAX) {
        const present = Math.max(payloadBytesPresent - skipped, 0);
        online.take(ahead + skipped, bytes, payloadOffset + skipped, present, payloadBytes - skipped, atUs);
      }
    }
    const { last } = connection;
    if ((flags & (FIN | RST)) === 0 || last === undefined || last.isOver) return;
    // A keep-alive connection that was closed between two turns tells nothing of the next.
    last.isOnlineClosed = true;
    this.#book.settle(connection, last);
  }

  /** The client has ended its side: after a reset nothing of online's counts any more. */
  endClient(captured: Captured): void {
    const connection = this.#book.find(captured);
    const last = connection?.last;
    if (connection === undefined || last === undefined || last.isOver) return;
    const heardBytes = sizeBetween(last.onlineStart, captured.clientAck);
    const hasHeardAll = heardBytes > 0 && heardBytes >= (last.online?.totalBytes ?? 0);
    if (captured.end !== END_RESET && !hasHeardAll) return;
    last.isOnlineClosed = true;
    last.isAborted = captured.end === END_RESET;
    this.#book.settle(connection, last);
  }

  /** A fresh target connection begins: with the first turn that is not settled. */
  noteConnect(session: Session): void {
    const connection = this.#book.find(session.captured);
    const index = connection?.sideOf(session) ?? -1;
    if (connection === undefined || index < 0) return;
    const side = connection.sides[index]!;
    side.turn = session.turnUna - 1;
    side.startBytes = 0;
    side.endBytes = 0;
    for (const exchange of [...connection.exchanges]) {
      const target = exchange.targets[index];
      if (target === undefined || target.state !== TARGET_OPEN) continue;
      if (exchange.turn < session.turnUna) {
        target.state = TARGET_CLOSED;
        this.#book.settle(connection, exchange);
      } else {
        target.answer.clear();
        target.requestAtUs = NEVER_US;
      }
    }
  }

  /** engine --text--> target: `bytes` octets at `offset` of what the session sends. */
  noteSent(session: Session, offset: number, bytes: number, nowMs: number): void {
    const connection = this.#book.find(session.captured);
    const index = connection?.sideOf(session) ?? -1;
    if (connection === undefined || index < 0) return;
    const end = offset + bytes;
    for (let at = connection.exchanges.length - 1; at >= 0; at -= 1) {
      const exchange = connection.exchanges[at]!;
      const start = startOf(session, exchange);
      if (start >= end) continue;
      const target = exchange.targets[index];
      if (target !== undefined && target.answer.firstAtUs === NEVER_US) target.requestAtUs = usOf(nowMs);
      if (start <= offset) return;
    }
  }

  /**
   * target --segment--> engine: the record at `at`, which the session's TCP client has received already, and the first `presentBytes`
   * octets of its payload at `from`.
   */
  noteAnswer(session: Session, bytes: Uint8Array, at: number, from: number, presentBytes: number, nowMs: number): void {
    const payloadBytes = readU32(bytes, at + RESPONSE_PAYLOAD_BYTES);
    if (payloadBytes === 0 || (bytes[at + RESPONSE_FLAGS]! & SYN) !== 0) return;
    const connection = this.#book.find(session.captured);
    const index = connection?.sideOf(session) ?? -1;
    if (connection === undefined || index < 0) return;
    connection.lastActivityMs = nowMs;
    const side = connection.sides[index]!;
    this.#advance(connection, index, session.replay.sndUnaOffset);
    const { rcvNxt, receivedBytes } = session.replay;
    const offset = receivedBytes + sizeBetween(rcvNxt, seq(readI32(bytes, at + RESPONSE_SEQ)));
    if (offset < 0 || offset - side.startBytes > AHEAD_BYTES_MAX) return;
    side.endBytes = Math.max(side.endBytes, offset + payloadBytes);
    const target = connection.at(side.turn)?.targets[index];
    if (target === undefined || target.state !== TARGET_OPEN) return;
    const skipped = Math.max(side.startBytes - offset, 0);
    if (skipped >= payloadBytes) return;
    const present = Math.max(Math.min(presentBytes, payloadBytes) - skipped, 0);
    const start = offset + skipped - side.startBytes;
    const atUs = answeredAtUs(target, elapsedUsOf(bytes, at), usOf(nowMs));
    target.answer.take(start, bytes, from + skipped, present, payloadBytes - skipped, atUs);
  }

  /**
   * Whether the target has answered the last turn that it got to the end, as far as the answers tell themselves: where online's one is
   * exactly as long as its head says, that of the target ends there, too. Undefined: they do not tell.
   */
  isAnswerWhole(session: Session): boolean | undefined {
    const connection = this.#book.find(session.captured);
    const index = connection?.sideOf(session) ?? -1;
    if (connection === undefined || index < 0) return undefined;
    const exchange = connection.at(session.turnNxt - 1);
    const target = exchange?.targets[index];
    const online = exchange?.online;
    if (target === undefined || target.state !== TARGET_OPEN || online === undefined) return undefined;
    const { isHead } = exchange!;
    if (online.saidBytes(isHead) !== online.totalBytes) return undefined;
    const said = target.answer.saidBytes(isHead);
    return said < 0 ? undefined : target.answer.totalBytes >= said;
  }

  /** `count` turns from `turn` on are lost for the session's target. */
  noteLost(session: Session, turn: number, count: number, reason: LossReason): void {
    const connection = this.#book.find(session.captured);
    const index = connection?.sideOf(session) ?? -1;
    if (connection === undefined || index < 0) return;
    for (const exchange of [...connection.exchanges]) {
      const target = exchange.targets[index];
      if (exchange.turn < turn || exchange.turn >= turn + count || target?.state !== TARGET_OPEN) continue;
      target.state = TARGET_LOST;
      target.lossReason = reason;
      this.#book.settle(connection, exchange);
    }
  }

  /** What the session's target answers to the turn is its own: a login, or with a number that it counts itself. */
  noteOwnAnswer(session: Session, turn: number): void {
    if (session.copy > 0) return;
    const exchange = this.#book.find(session.captured)?.at(turn);
    if (exchange !== undefined) exchange.incomparable ??= 'ownAnswer';
  }

  /** The session has ended: its target says nothing more. */
  endSession(session: Session): void {
    const connection = this.#book.find(session.captured);
    const index = connection?.sideOf(session) ?? -1;
    if (connection === undefined || index < 0) return;
    connection.sides[index]!.hasEnded = true;
    this.#closeTargets(connection, index);
  }

  /** The stream is not followed any more until a turn is joined: where answers end that are open now will not be known. */
  leaveStream(captured: Captured): void {
    for (const exchange of this.#book.find(captured)?.exchanges ?? []) {
      if (!exchange.isOnlineClosed) exchange.incomparable ??= 'onlineIncomplete';
      exchange.isOnlineClosed = true;
    }
  }

  /** The connection is forgotten. */
  endConnection(captured: Captured): void {
    const connection = this.#book.find(captured);
    if (connection === undefined) return;
    for (const exchange of [...connection.exchanges]) {
      // A client that closed its side first may have got more than its last acknowledgement says.
      if (!exchange.isOnlineClosed && captured.end === END_FIN) exchange.incomparable ??= 'onlineIncomplete';
      this.#book.finish(connection, exchange);
    }
    this.#book.forget(connection);
  }

  /** Call it about every second: answers that have not grown for a while are taken for whole. */
  tick(nowMs: number): void {
    for (const connection of this.#book.connections()) {
      const { last } = connection;
      if (last === undefined || last.isOver || nowMs - connection.lastActivityMs < QUIET_MS) continue;
      if (last.online !== undefined && last.online.totalBytes === 0) continue;
      const isSilent = last.targets.some((one) => one?.state === TARGET_OPEN && one.answer.totalBytes === 0);
      if (!isSilent) this.#book.finish(connection, last);
    }
  }

  /** The copy ends. */
  close(nowMs: number): void {
    for (const connection of this.#book.connections()) {
      const isLate = nowMs - connection.lastActivityMs < INTERRUPTED_MS;
      for (const exchange of connection.exchanges) {
        const isOpen = !exchange.isOnlineClosed || !exchange.areTargetsSettled;
        const isSilent = exchange.targets.some((one) => one?.state === TARGET_OPEN && one.answer.totalBytes === 0);
        if (isOpen && (isSilent || (isLate && !exchange.isSaidWhole))) exchange.incomparable ??= 'interrupted';
      }
      this.endConnection(connection.captured);
    }
  }

  /** A segment of the target has come that acknowledges what the session sends up to `ackedOffset`. */
  #advance(connection: ComparedConnection, index: number, ackedOffset: number): void {
    const side = connection.sides[index]!;
    for (;;) {
      const nextTurn = Math.max(side.turn + 1, connection.firstTurn);
      const next = connection.at(nextTurn);
      if (next === undefined || startOf(side.session, next) >= ackedOffset) return;
      const before = connection.at(side.turn);
      side.turn = nextTurn;
      side.startBytes = side.endBytes;
      const target = before?.targets[index];
      if (before === undefined || target?.state !== TARGET_OPEN) continue;
      target.state = TARGET_CLOSED;
      this.#book.settle(connection, before);
    }
  }

  #closeTargets(connection: ComparedConnection, index: number): void {
    for (const exchange of [...connection.exchanges]) {
      const target = exchange.targets[index];
      if (target?.state !== TARGET_OPEN) continue;
      target.state = TARGET_CLOSED;
      this.#book.settle(connection, exchange);
    }
  }
}

/** Where the exchange begins in what the session sends: the client's stream, or what its protocol module makes of it. */
function startOf({ script }: Session, { turn, streamOffset }: Exchange): number {
  return script === undefined ? streamOffset : script.clientStartOf(turn);
}

/**
 * When a target's segment came: intercept says how long after the injection of what it answers, which leaves out the way here. It is
 * never later than now.
 */
function answeredAtUs({ requestAtUs }: TargetPart, elapsedUs: number, nowUs: number): number {
  if (elapsedUs < 0 || requestAtUs === NEVER_US) return nowUs;
  return (requestAtUs + Math.min(elapsedUs, (nowUs - requestAtUs) >>> 0)) >>> 0;
}

function usOf(nowMs: number): number {
  return (nowMs * 1000) >>> 0;
}
