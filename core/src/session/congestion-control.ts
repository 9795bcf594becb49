/**
 * How much may be in flight, and what duplicate acknowledgements say of it: RFC 5681, 6582 (NewReno), 6928, 3465, 3042. A layer of Replay,
 * like {@link RetransmissionTimer}, on which it stands.
 */
import { RetransmissionTimer } from './retransmission-timer.js';

/** RFC 6928: initial window of ten segments. */
const INITIAL_WINDOW_SEGMENTS = 10;
const CWND_MAX_BYTES = 16 * 1024 * 1024;
/** RFC 5681 3.2. */
const DUPLICATE_ACKS = 3;
/** RFC 3042 2: each of the first duplicates lets a segment go. */
const LIMITED_SEGMENTS_MAX = 2;

export class CongestionControl extends RetransmissionTimer {
  /** Fast retransmission: the segment at sndUna goes out again. */
  mustRetransmit = false;
  cwndBytes = 0;
  ssthreshBytes = CWND_MAX_BYTES;
  duplicateAcks = 0;
  /** In fast recovery, until recoverOffset is acknowledged (RFC 6582 3.2). */
  isRecovering = false;
  /** What had been sent when a loss was found last: no second loss is seen in it. */
  recoverOffset = -1;

  /** For a new connection. */
  protected resetWindow(): void {
    this.mustRetransmit = false;
    this.cwndBytes = 0;
    this.ssthreshBytes = CWND_MAX_BYTES;
    this.duplicateAcks = 0;
    this.isRecovering = false;
    this.recoverOffset = -1;
  }

  /** The handshake is through. */
  protected openWindow(mss: number): void {
    this.cwndBytes = INITIAL_WINDOW_SEGMENTS * mss;
  }

  /**
   * Octets that may be in flight. A duplicate acknowledgement says that a segment has arrived, so another may go: only when there are
   * enough of them is it known which one is missing (limited transmit, RFC 3042 2).
   */
  protected windowBytes(unaOffset: number, mss: number): number {
    if (this.duplicateAcks === 0 || this.isRecovering || unaOffset < this.recoverOffset) return this.cwndBytes;
    return this.cwndBytes + Math.min(this.duplicateAcks, LIMITED_SEGMENTS_MAX) * mss;
  }

  /** RFC 5681 4.1: after an idle time beyond the timeout the path's state is unknown again. */
  protected restartWindow(mss: number): void {
    this.cwndBytes = Math.min(this.cwndBytes, INITIAL_WINDOW_SEGMENTS * mss);
  }

  /** The timer has run out with [unaOffset, maxOffset) in flight (RFC 5681 3.1). */
  protected collapseWindow(unaOffset: number, maxOffset: number, mss: number): void {
    // RFC 5681 4.3: the threshold falls once for a loss, not for each repetition.
    if (this.retransmits === 1) this.ssthreshBytes = Math.max((maxOffset - unaOffset) >> 1, 2 * mss);
    this.cwndBytes = mss;
    this.recoverOffset = maxOffset;
  }

  /** Whatever was being recovered from: other means have taken over. */
  protected endRecovery(): void {
    this.isRecovering = false;
    this.duplicateAcks = 0;
  }

  /** `advance` octets were acknowledged, up to `unaOffset`. */
  protected growWindow(advance: number, unaOffset: number, mss: number): void {
    if (this.isRecovering && unaOffset < this.recoverOffset) {
      // RFC 6582 3.2: a partial acknowledgement, so the next segment was lost as well.
      this.mustRetransmit = true;
      this.cwndBytes = Math.max(this.cwndBytes - advance + mss, mss);
      return;
    }
    this.duplicateAcks = 0;
    if (this.isRecovering) {
      // Step 3 of it, a full acknowledgement: the window is what the loss left of it.
      this.cwndBytes = Math.max(this.ssthreshBytes, mss);
      this.isRecovering = false;
    } else if (this.cwndBytes < this.ssthreshBytes) {
      // RFC 5681 3.1 slow start, counting octets (RFC 3465) with L = 2, and 1 after a timeout.
      const step = unaOffset < this.recoverOffset ? mss : 2 * mss;
      this.cwndBytes = Math.min(this.cwndBytes + Math.min(advance, step), CWND_MAX_BYTES);
    } else {
      this.cwndBytes = Math.min(this.cwndBytes + Math.ceil((mss * mss) / this.cwndBytes), CWND_MAX_BYTES);
    }
  }

  /**
   * RFC 5681 3.2 with RFC 6582: the third says that a segment was lost, each further one that another has arrived. In flight is
   * [unaOffset, maxOffset).
   */
  protected noteDuplicateAck(unaOffset: number, maxOffset: number, mss: number): void {
    if (this.isRecovering) {
      this.cwndBytes = Math.min(this.cwndBytes + mss, CWND_MAX_BYTES);
      return;
    }
    this.duplicateAcks += 1;
    // RFC 6582 3.2 step 2: what a timeout sends again makes duplicates that say nothing new.
    if (this.duplicateAcks !== DUPLICATE_ACKS || unaOffset < this.recoverOffset) return;
    // RFC 5681 3.2 step 2: what limited transmit sent beyond the window does not count.
    const flight = Math.min(maxOffset - unaOffset, this.cwndBytes);
    this.ssthreshBytes = Math.max(flight >> 1, 2 * mss);
    this.cwndBytes = this.ssthreshBytes + DUPLICATE_ACKS * mss;
    this.recoverOffset = maxOffset;
    this.isRecovering = true;
    this.mustRetransmit = true;
    this.rttOffset = -1;
  }
}
