/**
 * When what was sent counts as lost: round trips and the timeout made of them (RFC 6298). A layer of Replay, not an object beside it: an
 * object takes 32 octets, of which an idle session has few to spare.
 */

/** RFC 6298 2.1. */
const RTO_INITIAL_MS = 1000;
/** RFC 6298 5.7: when a SYN had to be repeated and nothing else was measured. */
const RTO_AFTER_SYN_LOSS_MS = 3000;
const RTO_MIN_MS = 200;
/** RFC 6298 2.5 asks for 60 s at least. */
const RTO_MAX_MS = 60_000;

export class RetransmissionTimer {
  /** The retransmission timer; 0 = off. */
  rtoAtMs = 0;
  rtoMs = RTO_INITIAL_MS;
  srttMs = -1;
  rttVarMs = 0;
  /** Timed octet for connections without timestamps; -1: none (RFC 6298 3, Karn). */
  rttOffset = -1;
  rttStartMs = 0;
  /** Retransmissions of the segment at sndUna, or probes of a closed window, so far. */
  retransmits = 0;

  /** For a new connection. */
  protected resetTimer(): void {
    this.rtoAtMs = 0;
    this.rtoMs = RTO_INITIAL_MS;
    this.srttMs = -1;
    this.rttVarMs = 0;
    this.rttOffset = -1;
    this.retransmits = 0;
  }

  /** [offset, end) goes out; up to `maxOffset` everything has been sent before. RFC 6298 3 and 5.1. */
  protected timeSent(offset: number, end: number, maxOffset: number, nowMs: number): void {
    if (end <= maxOffset) {
      if (offset < this.rttOffset) this.rttOffset = -1;
    } else if (this.rttOffset < 0 && offset >= maxOffset) {
      this.rttOffset = end;
      this.rttStartMs = nowMs;
    }
    if (this.rtoAtMs === 0) this.rtoAtMs = nowMs + this.rtoMs;
  }

  /** New octets were acknowledged, up to `unaOffset`. `tsEcr` is not positive when no timestamp came back. */
  protected timeAcknowledged(unaOffset: number, nowMs: number, tsNow: number, tsEcr: number): void {
    this.retransmits = 0;
    const isTimed = this.rttOffset >= 0 && unaOffset >= this.rttOffset;
    if (tsEcr > 0) this.sampleRtt((tsNow - tsEcr) >>> 0);
    else if (isTimed) this.sampleRtt(nowMs - this.rttStartMs);
    if (isTimed) this.rttOffset = -1;
  }

  /** The SYN was answered. `tsEcr` is 0 without timestamps. */
  protected timeHandshake(nowMs: number, tsNow: number, tsEcr: number): void {
    if (this.retransmits === 0) this.sampleRtt(nowMs - this.rttStartMs);
    else {
      // Karn: which SYN was answered only a timestamp tells.
      this.rtoMs = RTO_AFTER_SYN_LOSS_MS;
      if (tsEcr !== 0) this.sampleRtt((tsNow - tsEcr) >>> 0);
    }
    this.retransmits = 0;
    this.rtoAtMs = 0;
  }

  /** RFC 6298 5.5 and 5.6. */
  protected backOff(nowMs: number): void {
    this.retransmits += 1;
    this.rtoMs = Math.min(this.rtoMs * 2, RTO_MAX_MS);
    this.rtoAtMs = nowMs + this.rtoMs;
    this.rttOffset = -1;
  }

  /** What was backed off while a window was closed does not hold for data. */
  protected endBackOff(): void {
    this.retransmits = 0;
    this.computeRto();
  }

  protected sampleRtt(sampleMs: number): void {
    // A timestamp that came back after minutes is no sample but an oddity of the other end.
    if (sampleMs < 0 || sampleMs > RTO_MAX_MS) return;
    if (this.srttMs < 0) {
      this.srttMs = sampleMs;
      this.rttVarMs = sampleMs / 2;
    } else {
      this.rttVarMs = 0.75 * this.rttVarMs + 0.25 * Math.abs(this.srttMs - sampleMs);
      this.srttMs = 0.875 * this.srttMs + 0.125 * sampleMs;
    }
    this.computeRto();
  }

  /** RFC 6298 2.2 and 2.3, with a clock grain of 1 ms. */
  private computeRto(): void {
    if (this.srttMs < 0) {
      this.rtoMs = RTO_INITIAL_MS;
      return;
    }
    this.rtoMs = Math.min(Math.max(Math.ceil(this.srttMs + Math.max(1, 4 * this.rttVarMs)), RTO_MIN_MS), RTO_MAX_MS);
  }
}
