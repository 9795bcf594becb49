/**
 * What one session with a protocol module sends: the client's stream as the module's player translates it. Turns and the ledger stay
 * those of the client; the replay half's offsets are places in what is sent (`out`), which begins at 0 on every target connection.
 *
 *   client's stream  ... turn turnUna ... consumed | not translated yet
 *   out              ... sent             | translated, not sent
 */
import {
  keptBytesOf,
  RESPONSE_KEPT,
  RESPONSE_PAYLOAD_BYTES,
  RESPONSE_SEQ,
  type ResponseBatch,
} from '../batch/response-record.js';
import type { Comparison } from '../compare/comparison.js';
import type { Player } from '../protocol/protocol.js';
import { type Seq, seq, sizeBetween } from '../seq.js';
import { readU32 } from '../wire/bytes.js';
import type { ByteStore } from './byte-store.js';
import { CLOSED } from './replay.js';
import type { Session } from './session.js';
import { StreamBuffer } from './stream-buffer.js';

/** Octets that are offered to a player at a time. */
const OFFER_BYTES = 32 * 1024;
/** No more is translated ahead of what was sent. */
const AHEAD_BYTES_MAX = 256 * 1024;

/** Scripts run one at a time. */
const offered = new Uint8Array(OFFER_BYTES);

export class Script {
  readonly player: Player;
  readonly out = new StreamBuffer();
  readonly #store: ByteStore;
  readonly #comparison: Comparison | undefined;
  /** Place in the client's stream up to which all is translated. */
  consumed = 0;
  /** The turn that is being translated, or the next one. */
  #turn = 0;
  /** `consumed` when that began. */
  #turnFrom = 0;
  /** The first turn of the target connection. */
  #firstTurn = 0;
  /** Where turns begin in `out`: those from #startsFrom to #turn. */
  #starts: number[] = [0];
  #startsFrom = 0;
  /** Turns that the player could not make sure of. */
  readonly #unknown = new Set<number>();
  /** The store had no room. */
  isFull = false;

  constructor(player: Player, store: ByteStore, comparison: Comparison | undefined) {
    this.player = player;
    this.#store = store;
    this.#comparison = comparison;
  }

  /** Appends to what is sent. */
  write(bytes: Uint8Array, offset: number, length: number): void {
    if (!this.isFull && !this.out.append(this.#store, bytes, offset, length)) this.isFull = true;
  }

  /** A target connection begins with turn `turn` at the client's `offset`. */
  connect(turn: number, offset: number, isStart: boolean): void {
    this.out.restartAt(this.#store, 0);
    this.isFull = false;
    this.consumed = offset;
    this.#turn = turn;
    this.#turnFrom = offset;
    this.#firstTurn = turn;
    this.#starts = [0];
    this.#startsFrom = turn;
    this.#unknown.clear();
    this.player.connect(isStart);
    this.player.beginTurn();
  }

  isFirstTurn(turn: number): boolean {
    return turn === this.#firstTurn;
  }

  /** Whether the turn is done without anything sent: nothing answers it. */
  isSilent(session: Session, turn: number): boolean {
    return turn >= this.#startsFrom && turn <= this.#turn && this.endOf(session, turn) === this.startOf(turn);
  }

  isUnknown(turn: number): boolean {
    return this.#unknown.has(turn);
  }

  /** Where the turn begins in what is sent; behind all of it when it was not translated yet. */
  startOf(turn: number): number {
    if (turn > this.#turn) return this.out.endOffset;
    return this.#starts[Math.max(turn - this.#startsFrom, 0)]!;
  }

  /** Where what the client says on the turn begins in what is sent; Infinity as long as it does not, 0 for turns that are settled. */
  clientStartOf(turn: number): number {
    if (turn < this.#startsFrom) return 0;
    if (turn > this.#turn || (turn === this.#turn && this.isPrologue)) return Number.POSITIVE_INFINITY;
    return this.#starts[turn - this.#startsFrom]!;
  }

  /** Where the turn ends so far in what is sent; Infinity as long as more of it is known to come. */
  endOf(session: Session, turn: number): number {
    if (turn < this.#turn) return this.startOf(turn + 1);
    if (turn > this.#turn || this.player.state === 'busy') return Number.POSITIVE_INFINITY;
    return this.consumed >= session.captured.endOfTurn(turn) ? this.out.endOffset : Number.POSITIVE_INFINITY;
  }

  /** Turns before `turn` are settled. */
  forget(turn: number): void {
    const settled = Math.min(turn, this.#turn) - this.#startsFrom;
    if (this.#unknown.size > 0) for (const one of this.#unknown) if (one < turn) this.#unknown.delete(one);
    if (settled <= 0) return;
    this.#starts.splice(0, settled);
    this.#startsFrom += settled;
  }

  /** Whether something of the turn was translated. */
  hasBegun(turn: number): boolean {
    if (turn !== this.#turn) return turn < this.#turn;
    return this.consumed > this.#turnFrom || this.out.endOffset > this.startOf(turn);
  }

  /** Whether nothing but words of the player's own was said on this turn. */
  get isPrologue(): boolean {
    return this.consumed === this.#turnFrom;
  }

  /** Leaves out turn `turn`, which ends at the client's `offset`, and of which nothing was translated. */
  skip(turn: number, offset: number): void {
    this.#enter(turn);
    this.consumed = Math.max(this.consumed, offset);
  }

  #enter(turn: number): void {
    while (this.#turn < turn) {
      this.#turn += 1;
      this.#turnFrom = this.consumed;
      this.#starts.push(this.out.endOffset);
      this.player.beginTurn();
    }
  }

  /** Translates what the gate lets go, as far as the player can. */
  pull(session: Session): void {
    const { player } = this;
    const { captured, replay } = session;
    if (session.turnNxt === session.turnUna) return;
    for (;;) {
      player.speak(this);
      if (player.state !== 'open' || this.isFull) return;
      const end = captured.endOfTurn(this.#turn);
      if (this.consumed >= end) {
        if (this.#turn + 1 >= session.turnNxt) return;
        this.#enter(this.#turn + 1);
        continue;
      }
      if (this.out.endOffset - replay.sndNxtOffset > AHEAD_BYTES_MAX) return;
      const length = Math.min(end - this.consumed, OFFER_BYTES);
      const isWhole = this.consumed + length === end && captured.hasWholeTurn(this.#turn);
      captured.stream.read(this.#store, this.consumed, length, offered, 0);
      if (this.consumed === this.#turnFrom) this.#endPrologue(session);
      const taken = player.translate(offered, 0, length, isWhole, this);
      this.consumed += taken;
      if (player.isTurnUnknown) this.#unknown.add(this.#turn);
      this.#noteOwnAnswer(session);
      if (taken === 0 && player.state === 'open') return;
    }
  }

  #noteOwnAnswer(session: Session): void {
    if (this.player.isAnswerOwn) this.#comparison?.noteOwnAnswer(session, this.#turn);
  }

  /** What the player has said itself is over: neither is it of the client's turn, nor are the answers to it. */
  #endPrologue(session: Session): void {
    if (this.out.endOffset === this.startOf(this.#turn)) return;
    this.#starts[this.#starts.length - 1] = this.out.endOffset;
    session.answeredAtGate = session.replay.receivedBytes;
    session.surplusBytes = 0;
  }

  /** Gives up what the target has, or all of it between two target connections. */
  trim(session: Session, isClosed: boolean): void {
    if (isClosed) this.out.restartAt(this.#store, 0);
    else this.out.trimTo(this.#store, Math.min(session.replay.sndUnaOffset, this.out.endOffset));
  }

  /** As {@link neededOffset}, when all turns are settled: what a player has not taken of the last one, it may still have to read. */
  endNeeded({ captured, replay }: Session): number {
    return replay.state === CLOSED ? captured.streamEnd : Math.min(this.consumed, captured.streamEnd);
  }

  /** Client's place of the first octet that the session may still need; its turn `turn` is not settled, and begins at `offset`. */
  neededOffset(session: Session, turn: number, offset: number): number {
    // Of a turn that is lost the rest is still to be read.
    if (turn > this.#turn) return Math.min(this.consumed, offset);
    // What the target has begun to take is never sent again, but for a login.
    if (turn === this.#turn && this.player.state === 'open' && session.replay.sndUnaOffset > this.startOf(turn))
      return Math.max(this.consumed, offset);
    return offset;
  }

  /** target --octets of the record at `at`--> player. What lies before them, from `rcvNxt` on, was never heard. */
  hear(session: Session, batch: ResponseBatch, at: number, rcvNxt: Seq): void {
    const { player } = this;
    const { bytes } = batch;
    const ahead = sizeBetween(rcvNxt, seq(readU32(bytes, at + RESPONSE_SEQ)));
    if (ahead > 0) player.hear(bytes, at, 0, ahead);
    const known = Math.max(0, -ahead);
    const kept = keptBytesOf(batch, at);
    const length = readU32(bytes, at + RESPONSE_PAYLOAD_BYTES) - known;
    const present = Math.min(Math.max(0, kept - known), length);
    player.hear(bytes, at + RESPONSE_KEPT + known, present, length);
    this.#noteOwnAnswer(session);
  }
}
