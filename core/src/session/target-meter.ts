import type { LossReason } from '../counters.js';

/**
 * Is told what one target does, as it happens: plain numbers, by the engine, which waits for nothing here and keeps nothing. Times that
 * an answer took are microseconds from the moment when the last octet of its turn went to the target; `nowMs` is the engine's time, or
 * that of the past moment that is meant.
 */
export interface TargetMeter {
  /** A connection to the target is open. */
  connected(nowMs: number): void;
  /** A turn of so many octets was delivered. */
  delivered(octets: number, nowMs: number): void;
  /** So many turns were lost. */
  lost(reason: LossReason, turns: number, nowMs: number): void;
  /** So many octets of an answer have come. */
  octets(octets: number, nowMs: number): void;
  /** The first octet of the answer to a turn. */
  firstOctet(elapsedUs: number, nowMs: number): void;
  /** The last octet of it: known when the next turn goes, or the connection ends. */
  lastOctet(elapsedUs: number, nowMs: number): void;
}
