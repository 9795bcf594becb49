/**
 * One turn of a connection while it is compared: the beginning of the request, what online answered, what each target did.
 *
 *   online   open → closed
 *   target   open → closed (its answer is there) or lost (the turn was never delivered)
 *
 * It is over when all of them are.
 */
import type { LossReason } from '../counters.js';
import { type Seq, sizeBetween } from '../seq.js';
import type { Answer } from './answer.js';
import { NEVER_US } from './answer.js';

/** Octets of the request that are kept: to call it by its name, and to see where its head ends. */
export const REQUEST_BYTES_MAX = 2048;

/** "HEAD " */
const HEAD = [72, 69, 65, 68, 32];

export const TARGET_OPEN = 0;
export const TARGET_CLOSED = 1;
export const TARGET_LOST = 2;

/** One target's part of an exchange. */
export interface TargetPart {
  readonly name: string;
  readonly answer: Answer;
  state: typeof TARGET_OPEN | typeof TARGET_CLOSED | typeof TARGET_LOST;
  lossReason: LossReason | undefined;
  /** When the last octets of the request went out before the answer began. */
  requestAtUs: number;
}

/** Why a turn cannot be compared. */
export const INCOMPARABLE_REASONS = [
  /** As many answers were followed as the limit allows. */
  'noRoom',
  /** The target got no such request: docs/session.md, what is lost. */
  'notDelivered',
  /** Octets of online's answer were not captured. */
  'onlineIncomplete',
  /** Octets of a target's answer did not come here. */
  'targetIncomplete',
  /** Online was not seen to answer. */
  'onlineSilent',
  /** Answers overlap: online answered before the request was at its end, or the client pipelines. */
  'notAligned',
  /** HTTP/2, or what comes after an upgrade (WebSocket): both sides speak at once, and nothing is the answer to anything. */
  'multiplexed',
  /** A protocol module logged in, or by that login the target's answers have another form, or a number that it counts itself. */
  'ownAnswer',
  /** The copy ended while the answers came. */
  'interrupted',
] as const;
export type IncomparableReason = (typeof INCOMPARABLE_REASONS)[number];

export class Exchange {
  /** Index of the turn. */
  readonly turn: number;
  /** Where it begins in the client's stream. */
  readonly streamOffset: number;
  /** Online's sequence number at which its answer begins. */
  readonly onlineStart: Seq;
  /** When the last text of the request was captured before the answer began, by the clock of the capture. */
  requestAtUs = NEVER_US;
  /** Its first octets; no room for any without `online`. */
  readonly request: Uint8Array;
  requestBytes = 0;
  /** Of all of it. */
  requestTotalBytes = 0;
  readonly online: Answer | undefined;
  isOnlineClosed = false;
  /** The client reset the connection: nobody knows how much of the answer was still to come. */
  isAborted = false;
  /** By side of the connection; undefined for sides that came later or had ended. */
  readonly targets: readonly (TargetPart | undefined)[];
  /** Undefined: it can be compared, as far as is known yet. */
  incomparable: IncomparableReason | undefined = undefined;
  /** Handed over: nothing counts any more. */
  isOver = false;

  constructor(
    turn: number,
    streamOffset: number,
    onlineStart: Seq,
    request: Uint8Array,
    online: Answer | undefined,
    targets: readonly (TargetPart | undefined)[],
  ) {
    this.turn = turn;
    this.streamOffset = streamOffset;
    this.onlineStart = onlineStart;
    this.request = request;
    this.online = online;
    this.targets = targets;
  }

  get areTargetsSettled(): boolean {
    return this.targets.every((target) => target === undefined || target.state !== TARGET_OPEN);
  }

  /** Whether the answers of all parties that may go on are as long as they say. */
  get isSaidWhole(): boolean {
    const { online, isOnlineClosed, isHead, targets } = this;
    if (online === undefined || (!isOnlineClosed && online.saidBytes(isHead) !== online.totalBytes)) return false;
    return targets.every((one) => one?.state !== TARGET_OPEN || one.answer.saidBytes(isHead) === one.answer.totalBytes);
  }

  /** Whether the request is one that is answered without a body. */
  get isHead(): boolean {
    return this.requestBytes >= HEAD.length && HEAD.every((octet, at) => this.request[at] === octet);
  }

  takeRequest(bytes: Uint8Array, offset: number, length: number): void {
    this.requestTotalBytes += length;
    const taken = Math.min(length, this.request.length - this.requestBytes);
    for (let at = 0; at < taken; at += 1) this.request[this.requestBytes + at] = bytes[offset + at]!;
    if (taken > 0) this.requestBytes += taken;
  }

  /** The client went on after it had acknowledged `end`: there online's answer ends. */
  endOnlineAt(end: Seq): void {
    this.isOnlineClosed = true;
    const { online } = this;
    if (online === undefined) return;
    const totalBytes = Math.max(sizeBetween(this.onlineStart, end), 0);
    // What the client has was sent, whether or not it was captured.
    if (online.totalBytes < totalBytes) online.totalBytes = totalBytes;
  }

  /** What online had sent beyond the client's acknowledgement is the next turn's. */
  handOnSurplus(next: Exchange): void {
    const from = this.online;
    if (from === undefined) return;
    const end = Math.max(sizeBetween(this.onlineStart, next.onlineStart), 0);
    if (from.totalBytes <= end) return;
    const present = Math.max(from.haveBytes - end, 0);
    next.online?.take(0, from.bytes, end, present, from.totalBytes - end, from.lastAtUs);
    from.endAt(end);
  }
}
