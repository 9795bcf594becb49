import { type Seq, sizeBetween } from '../seq.js';

/**
 * How long missing bytes may take to come. A client that knows of a loss repeats by fast retransmission within a round
 * trip or by its timer, 1 s at first (RFC 6298 2.1; Linux: 200 ms); what online has acknowledged is never repeated.
 */
const GAP_TIMEOUT_MS = 1000;
/**
 * The same while the client has heard nothing more from online. It may have to repeat more than once, with a
 * timer that doubles (RFC 6298 5.5): 3 s at least where the first repetition is lost as well.
 */
const GAP_TIMEOUT_MAX_MS = 10_000;

/** When octets that are missing in a client's stream are given up. */
export class GapTime {
  endMs: number;
  /** The client has heard more of online since it sent what lies beyond the gap: online has what is missing. */
  isAnswered = false;
  /** What the client had of online when it sent that. */
  readonly #ack: Seq;

  constructor(clientAck: Seq, nowMs: number) {
    this.#ack = clientAck;
    this.endMs = nowMs + GAP_TIMEOUT_MAX_MS;
  }

  /** The client has heard of online up to `ack`. */
  look(ack: Seq, nowMs: number): void {
    if (this.isAnswered || sizeBetween(this.#ack, ack) <= 0) return;
    this.isAnswered = true;
    this.endMs = Math.min(this.endMs, nowMs + GAP_TIMEOUT_MS);
  }
}
