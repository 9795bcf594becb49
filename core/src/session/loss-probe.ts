/**
 * The tail loss probe (RFC 8985 7): a flight that is not acknowledged is sent one segment again before the retransmission timer runs out,
 * so that a lost request of one or two segments does not cost the 200 ms of that timer. A layer of Replay, like those below it.
 *
 * Deviations, on purpose:
 *  - It works without SACK, so it is the first segment that is not acknowledged, not the last: the acknowledgement of the last one
 *    says what is missing only with SACK, and the first one is what the target waits for in any case.
 *  - The variance of round trips counts, too: on a host that is busy they vary by more than the one that RFC 8985 7.2 allows for.
 *  - No probe goes out at the retransmission timer's own time, instead of it (7.2): what it could gain is the window of a flight that
 *    nothing was heard of for so long.
 *  - Not before the target was heard in ESTABLISHED: a listener without room has dropped what was sent then, and as long as nothing
 *    was sent twice its reset means that it took none of it (EVENT_NEVER_OPEN). Nor after its FIN.
 */
import { CongestionControl } from './congestion-control.js';

/** Linux: the ticks that it adds to two round trips. */
const PTO_MIN_MS = 10;
/**
 * TLP.max_ack_delay (RFC 8985 7.2): so long a target may hold the acknowledgement of less than two full segments back. On Linux 40 ms, or
 * its round trip where that is longer, which twice ours has room for; and up to two of its ticks of 10 ms late.
 */
const ACK_DELAY_MAX_MS = 60;
/** New octets were sent or acknowledged: when a probe is due has yet to be found. */
const PROBE_UNTIMED = -1;
/** Timestamps and our clock are cut to whole milliseconds. */
const CLOCK_GRAIN_MS = 1;

export class LossProbe extends CongestionControl {
  /** When a probe is due; 0: none is. What is in flight changes often until this is asked for: see {@link timeProbe}. */
  probeAtMs = 0;
  /** What had been sent when the probe went out that nothing has answered yet; -1: none is out. */
  probeEndOffset = -1;

  protected resetProbe(): void {
    this.probeAtMs = 0;
    this.probeEndOffset = -1;
  }

  /** New octets were sent or acknowledged (RFC 8985 7.2). Each segment does that, so no more is done about it here. */
  protected restartProbe(): void {
    this.probeAtMs = PROBE_UNTIMED;
  }

  protected get isProbeUntimed(): boolean {
    return this.probeAtMs === PROBE_UNTIMED;
  }

  /** [unaOffset, maxOffset) is in flight, and new octets were sent or acknowledged just now: when a probe is due (RFC 8985 7.2). */
  protected armProbe(unaOffset: number, maxOffset: number, mss: number, nowMs: number): void {
    this.probeAtMs = 0;
    const flight = maxOffset - unaOffset;
    if (flight <= 0 || this.probeEndOffset >= 0 || unaOffset < this.recoverOffset || this.srttMs < 0) return;
    const tripMs = Math.max(2 * this.srttMs, this.srttMs + 4 * this.rttVarMs, PTO_MIN_MS);
    // RFC 9293 3.8.6.3: every second full segment is acknowledged at once, what is less may have to wait.
    const atMs = nowMs + Math.ceil(flight < 2 * mss ? tripMs + ACK_DELAY_MAX_MS : tripMs);
    if (atMs < this.rtoAtMs) this.probeAtMs = atMs;
  }

  /** The probe went out; what was sent ends at `maxOffset`. The timer begins anew, so that its answer has time (RFC 8985 7.3). */
  protected startProbe(maxOffset: number, nowMs: number): void {
    this.probeAtMs = 0;
    this.probeEndOffset = maxOffset;
    this.rtoAtMs = nowMs + this.rtoMs;
  }

  /**
   * The first acknowledgement of new octets since the probe went out (RFC 8985 7.4). Whether it answers the probe, or what was
   * sent before and was late, its timestamp tells: `sampleMs` is its age, -1 without. `flight` octets were in flight. Comes before the
   * timer is looked after: that says when the probe was sent.
   */
  protected endProbe(unaOffset: number, flight: number, mss: number, nowMs: number, sampleMs: number): void {
    const endOffset = this.probeEndOffset;
    this.probeEndOffset = -1;
    // Duplicates have said the same meanwhile.
    if (this.isRecovering) return;
    const probedMs = this.rtoAtMs - this.rtoMs;
    const isWhole = unaOffset >= endOffset;
    const isOfProbe = sampleMs >= 0 && sampleMs <= nowMs - probedMs + CLOCK_GRAIN_MS;
    if (sampleMs >= 0 ? !isOfProbe : !isWhole) return;
    // A segment was lost (RFC 8985 7.4.2; RFC 5681 3.2).
    this.ssthreshBytes = Math.max(flight >> 1, 2 * mss);
    this.cwndBytes = Math.min(this.cwndBytes, this.ssthreshBytes);
    if (isWhole) return;
    // The probe filled the first gap and no more: the segment behind it is missing as well (as after RFC 6582 3.2, step 4).
    this.isRecovering = true;
    this.recoverOffset = endOffset;
  }
}
