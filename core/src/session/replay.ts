/**
 * The replay half: a transmission control block of our own, as client of the target: states, sequence numbers, windows of both ends.
 * Read RFC 9293 section 3 first, then RFC 7323 (window scale, timestamps). The layers below it are in loss-probe.ts,
 * congestion-control.ts and retransmission-timer.ts.
 *
 * Positions in what we send are offsets in the client's stream (octets since the stream was joined), so that they mean the
 * same on every target connection of a session; `seqAt` maps them. Our FIN stands at the offset where the stream ends.
 *
 * Deviations, on purpose:
 *  - What the target sends is not kept: only its length matters. So a gap in it (a response header that was lost on the
 *    way to us, after the target's kernel had dropped the packet) is taken as received instead of asking for it again: the
 *    octets exist nowhere, a retransmission would only be dropped again, and nothing waits for them.
 *  - SACK is not offered: we never have a hole to report, for the same reason.
 *  - The smallest retransmission timeout is 200 ms instead of 1 s (RFC 6298 2.4), as in Linux.
 *  - A segment without timestamps is taken on a connection that uses them (RFC 7323 3.2 would drop it): a header that a
 *    middlebox stripped says the same about what the target has.
 *  - The window of a segment that acknowledges new octets counts whatever its sequence number (3.10.7.4 asks for a newer one
 *    than SND.WL1), as in Linux.
 *  - A SYN-ACK that acknowledges something else is answered with a reset only once our SYN was repeated (RFC 9293
 *    3.10.7.3 would at once): the first such answer may belong to our own last connection on that port.
 */
import {
  RESPONSE_ACK,
  RESPONSE_FLAGS,
  RESPONSE_HAS_TIMESTAMPS,
  RESPONSE_HAS_WINDOW_SCALE,
  RESPONSE_MSS,
  RESPONSE_OPTIONS,
  RESPONSE_PAYLOAD_BYTES,
  RESPONSE_SEQ,
  RESPONSE_TS_ECR,
  RESPONSE_TS_VAL,
  RESPONSE_WINDOW,
  RESPONSE_WINDOW_SCALE,
} from '../batch/response-record.js';
import { add, lessThan, SEQ_ZERO, type Seq, seq, sizeBetween } from '../seq.js';
import { readI32, readU16, readU32 } from '../wire/bytes.js';
import { ACK, FIN, PSH, RST, SYN } from '../wire/tcp.js';
import { LossProbe } from './loss-probe.js';

/** Connection states (RFC 9293 3.3.2), those that a client passes. */
export const CLOSED = 0;
export const SYN_SENT = 1;
export const ESTABLISHED = 2;
export const FIN_WAIT_1 = 3;
export const FIN_WAIT_2 = 4;
export const CLOSE_WAIT = 5;
export const CLOSING = 6;
export const LAST_ACK = 7;
export const TIME_WAIT = 8;

/** What a segment brought about; bits. */
export const EVENT_ESTABLISHED = 1;
/** New octets of ours were acknowledged. */
export const EVENT_ADVANCED = 2;
/** New octets of the target came. */
export const EVENT_ANSWERED = 4;
export const EVENT_PEER_FIN = 8;
export const EVENT_RESET = 16;
export const EVENT_REFUSED = 32;
/** Another connection with our addresses and ports lives at the target: reset it and try again (RFC 9293 3.5.1). */
export const EVENT_HALF_OPEN = 64;
/** The target holds on to a connection that we have closed: reset it (RFC 9293 3.10.7.1). */
export const EVENT_STRAY = 128;
/**
 * With EVENT_RESET: the target had no connection for what we sent when it came (RFC 9293 3.10.7.1: such a reset carries no
 * ACK). It has sent nothing but SYN-ACK, and we nothing twice: it took none of our octets. A listener that is short of
 * room forgets half-open connections that way.
 */
export const EVENT_NEVER_OPEN = 256;
/** Full segments had got no answer, and smaller ones have: the path is narrow, and nobody says so. */
export const EVENT_BLACK_HOLE = 512;
/** With EVENT_RESET: the reset itself says how much the target's kernel had taken, and that is what is acknowledged now. */
export const EVENT_TAKEN_KNOWN = 1024;
/** A reset came behind the target's FIN that answers what had not acknowledged that FIN yet (RFC 9293 3.10.7.1). */
export const EVENT_RESET_BEFORE_FIN = 2048;

/** RFC 9293 3.7.1: assumed when the SYN-ACK has no MSS option. */
const MSS_DEFAULT_V4 = 536;
const MSS_DEFAULT_V6 = 1220;
/** A smaller MSS would make headers of everything (Linux: tcp_min_snd_mss). */
const MSS_MIN = 48;
/** What we let the target send: its octets cost us nothing, its pace is its own (65535 << 7). */
export const RCV_WINDOW_SCALE = 7;
export const RCV_WINDOW_FIELD = 65_535;
/** RFC 7323 5.5: after 24 days without a segment a timestamp says nothing. */
const PAWS_IDLE_MS_MAX = 24 * 24 * 3600 * 1000;
/** Timestamp options take 12 octets of each segment. */
const TIMESTAMP_BYTES = 12;
/** RFC 7323 2.3. */
const WINDOW_SHIFT_MAX = 14;
/**
 * Unacceptable segments without text are answered no more often than this (RFC 5961 7; Linux: tcp_invalid_ratelimit):
 * two ends that each find the other's numbers wrong would acknowledge each other for ever.
 */
const CHALLENGE_INTERVAL_MS = 500;
/** What the check of the acknowledgement field found. */
const ACK_UNACCEPTABLE = -1;
const ACK_OLD = 0;
const ACK_NEW = 1;
/** New, and the first since smaller segments were tried, one of which it acknowledges. */
const ACK_NEW_NARROW = 2;

export class Replay extends LossProbe {
  state = CLOSED;
  /** Stream offset of the first octet on this connection: it has sequence number iss + 1. */
  baseOffset = 0;
  iss: Seq = SEQ_ZERO;
  sndUnaOffset = 0;
  sndNxtOffset = 0;
  /** Highest offset ever sent; sndNxtOffset falls back behind it after a timeout. */
  sndMaxOffset = 0;
  /** Octets, scaled. */
  sndWnd = 0;
  /** The largest window that the target has offered. */
  sndWndMax = 0;
  sndWl1: Seq = SEQ_ZERO;
  sndWl2: Seq = SEQ_ZERO;
  sndWndShift = 0;
  /** Payload octets of a segment, options taken off. */
  mss = MSS_DEFAULT_V4;
  /** While smaller segments are tried because full ones got no answer: the size of those; otherwise 0. */
  mssBeforeTry = 0;
  /** A segment of full size was acknowledged on this connection. */
  hasFullThrough = false;
  /** Octets of our experimental option in each segment. */
  markBytes = 0;
  rcvNxt: Seq = SEQ_ZERO;
  /** rcvNxt as the target last heard it. */
  rcvAcked: Seq = SEQ_ZERO;
  /** Octets that the target sent on this connection, its FIN counted as one. */
  receivedBytes = 0;
  /** The last new octets came with PSH: the target has written all of what it wanted to say just then. */
  answerPushed = false;
  lastAnswerMs = 0;
  hasTimestamps = false;
  tsRecent = 0;
  tsRecentMs = 0;
  hasSentFin = false;
  hasPeerFin = false;
  /** The target has sent a segment other than SYN-ACK: the connection is open on its side too. */
  wasHeardOpen = false;
  /** An acknowledgement must go out now: something came that the target must hear about (RFC 9293 3.10.7.4). */
  mustAck = false;
  /** Before it no further challenge goes out. */
  challengeAtMs = 0;

  /** Back to SYN-SENT for a new connection whose first octet is the stream's at `baseOffset`. */
  open(baseOffset: number, iss: Seq): void {
    this.state = SYN_SENT;
    this.baseOffset = baseOffset;
    this.iss = iss;
    this.sndUnaOffset = baseOffset;
    this.sndNxtOffset = baseOffset;
    this.sndMaxOffset = baseOffset;
    this.sndWnd = 0;
    this.sndWndMax = 0;
    this.sndWndShift = 0;
    this.rcvNxt = SEQ_ZERO;
    this.rcvAcked = SEQ_ZERO;
    this.receivedBytes = 0;
    this.answerPushed = false;
    this.lastAnswerMs = 0;
    this.hasTimestamps = false;
    this.tsRecent = 0;
    this.hasSentFin = false;
    this.hasPeerFin = false;
    this.wasHeardOpen = false;
    this.mustAck = false;
    this.mssBeforeTry = 0;
    this.hasFullThrough = false;
    this.resetProbe();
    this.resetWindow();
    this.resetTimer();
    this.challengeAtMs = 0;
  }

  close(): void {
    this.state = CLOSED;
    this.rtoAtMs = 0;
    this.probeAtMs = 0;
    this.mustAck = false;
    this.mustRetransmit = false;
  }

  /** Octets of options in each segment. */
  get optionBytes(): number {
    return (this.hasTimestamps ? TIMESTAMP_BYTES : 0) + this.markBytes;
  }

  get isSynchronized(): boolean {
    return this.state >= ESTABLISHED;
  }

  /** What is in flight is one segment, and went out once. */
  get isOneSegment(): boolean {
    const bytes = this.sndMaxOffset - this.sndUnaOffset;
    return bytes > 0 && bytes <= this.mss && this.retransmits === 0 && this.probeEndOffset < 0;
  }

  /** Leaves out the stream up to `offset`. Nothing of it was sent, and nothing is in flight. */
  skipTo(offset: number): void {
    this.baseOffset += offset - this.sndNxtOffset;
    this.sndUnaOffset = offset;
    this.sndNxtOffset = offset;
    this.sndMaxOffset = offset;
    this.recoverOffset = -1;
    this.rttOffset = -1;
  }

  /** The sequence number of the octet at a stream offset. Offsets beyond 2^31 wrap as sequence numbers do. */
  seqAt(offset: number): Seq {
    return add(this.iss, 1 + offset - this.baseOffset);
  }

  /** Octets that may be sent beyond sndNxt now: windows of both ends, what is in flight taken off (RFC 5681 3). */
  usableWindow(): number {
    const window = Math.min(this.sndWnd, this.windowBytes(this.sndUnaOffset, this.mss));
    return this.sndUnaOffset + window - this.sndNxtOffset;
  }

  /** Notes that [offset, offset + bytes) went out, and starts the timers that this asks for (RFC 6298 5.1). */
  noteSent(offset: number, bytes: number, nowMs: number): void {
    const end = offset + bytes;
    this.timeSent(offset, end, this.sndMaxOffset, nowMs);
    if (end > this.sndNxtOffset) this.sndNxtOffset = end;
    if (end > this.sndMaxOffset) {
      this.sndMaxOffset = end;
      this.restartProbe();
    }
    this.noteAcked();
  }

  /** Every segment with ACK tells the target rcvNxt. */
  noteAcked(): void {
    this.rcvAcked = this.rcvNxt;
    this.mustAck = false;
  }

  /** Finds when a probe is due, if that has changed: at the time of what changed it, when no more comes of it. */
  timeProbe(nowMs: number): void {
    if (!this.isProbeUntimed) return;
    if (this.mayProbe) this.armProbe(this.sndUnaOffset, this.sndMaxOffset, this.mss, nowMs);
    else this.probeAtMs = 0;
  }

  /** Whether what is in flight may be probed; see loss-probe.ts. */
  get mayProbe(): boolean {
    return this.wasHeardOpen && !this.hasPeerFin && this.sndWnd > 0;
  }

  /** The first segment that is not acknowledged went out again before its time (RFC 8985 7.3). */
  noteProbe(nowMs: number): void {
    this.startProbe(this.sndMaxOffset, nowMs);
  }

  /**
   * The retransmission timer has run out (RFC 6298 5.4 to 5.6): the caller sends again from sndUna, or the SYN, or probes
   * a closed window.
   */
  timeOut(nowMs: number): void {
    this.backOff(nowMs);
    this.resetProbe();
    if (this.state === SYN_SENT) return;
    this.endRecovery();
    this.sndNxtOffset = this.sndUnaOffset;
    // A target that reads slowly says nothing about the path (RFC 9293 3.8.6.1): only the timer backs off.
    if (this.sndWnd > 0) this.collapseWindow(this.sndUnaOffset, this.sndMaxOffset, this.mss);
  }

  /**
   * The path carries segments of `mss` octets only. What is in flight with more is lost and goes out again, cut anew: that says
   * nothing of congestion, so the window stays (RFC 8201 5.4; Linux: tcp_simple_retransmit). Returns whether they are smaller now.
   */
  narrow(mss: number): boolean {
    const smaller = Math.max(mss, MSS_MIN);
    if (!this.isSynchronized || smaller >= this.mss) return false;
    const wasInFlight = this.sndMaxOffset - this.sndUnaOffset > smaller;
    this.mss = smaller;
    this.mssBeforeTry = 0;
    if (!wasInFlight || this.hasSentFin) return true;
    this.sndNxtOffset = this.sndUnaOffset;
    this.recoverOffset = this.sndMaxOffset;
    this.endRecovery();
    this.resetProbe();
    this.mustRetransmit = false;
    this.rttOffset = -1;
    return true;
  }

  /**
   * Full segments got no answer for some timeouts: smaller ones are tried from now on (RFC 4821 7.7). Returns whether they are
   * smaller than before.
   */
  trySmaller(mss: number): boolean {
    const full = Math.min(this.mss, this.sndMaxOffset - this.sndUnaOffset);
    if (this.sndWnd === 0 || this.hasSentFin || mss >= full) return false;
    if (this.mssBeforeTry === 0) this.mssBeforeTry = this.mss;
    this.mss = Math.max(mss, MSS_MIN);
    this.cwndBytes = this.mss;
    return true;
  }

  /** RFC 5681 4.1: after an idle time beyond the timeout the path's state is unknown again. */
  restartAfterIdle(): void {
    this.restartWindow(this.mss);
  }

  /**
   * SEGMENT ARRIVES (RFC 9293 3.10.7) for the response record at `at`. Returns EVENT_* bits.
   *
   * @param tsNow our timestamp clock at nowMs, unsigned 32 bits.
   * @param mssMax largest payload that the path towards the target carries, without options.
   */
  receive(bytes: Uint8Array, at: number, nowMs: number, tsNow: number, mssMax: number, isV6: boolean): number {
    const flags = bytes[at + RESPONSE_FLAGS]!;
    const segSeq = seq(readI32(bytes, at + RESPONSE_SEQ));
    const segAck = seq(readI32(bytes, at + RESPONSE_ACK));
    if (this.state === SYN_SENT) {
      return this.receiveInSynSent(bytes, at, flags, segSeq, segAck, nowMs, tsNow, mssMax, isV6);
    }

    const payloadBytes = readU32(bytes, at + RESPONSE_PAYLOAD_BYTES);
    const segLen = payloadBytes + (flags & FIN ? 1 : 0);
    if (this.state === CLOSED) {
      // RFC 9293 3.10.7.1. Bare acknowledgements are on their way for a moment after every end; they need no answer.
      const holdsOn = segLen > 0 || (flags & SYN) !== 0;
      return holdsOn && (flags & (ACK | RST)) === ACK ? EVENT_STRAY : 0;
    }
    const segHasTimestamps = (bytes[at + RESPONSE_OPTIONS]! & RESPONSE_HAS_TIMESTAMPS) !== 0;

    // First, check sequence number and PAWS (RFC 9293 3.10.7.4, RFC 7323 5.3).
    const ahead = sizeBetween(this.rcvNxt, segSeq);
    const windowBytes = RCV_WINDOW_FIELD << RCV_WINDOW_SCALE;
    if (flags & RST) {
      // RFC 5961 3.2: only the exact number resets; another one inside the window is challenged.
      if (ahead !== 0) {
        if (ahead > 0 && ahead < windowBytes) {
          // Text before it was lost on the way to us: the target had the connection, and may have taken what we sent.
          if (flags & ACK) this.wasHeardOpen = true;
          this.challenge(0, nowMs);
        }
        return ahead === -1 && this.hasPeerFin && (flags & ACK) === 0 ? EVENT_RESET_BEFORE_FIN : 0;
      }
      // The acknowledgement of a reset tells how much the target's kernel had taken.
      if (flags & ACK) {
        const verdict = this.takeAck(segAck, segSeq, 0, nowMs, tsNow, -1);
        return verdict === ACK_UNACCEPTABLE ? EVENT_RESET : EVENT_RESET | EVENT_TAKEN_KNOWN;
      }
      return !this.wasHeardOpen && this.retransmits === 0 ? EVENT_RESET | EVENT_NEVER_OPEN : EVENT_RESET;
    }
    // Before what was acknowledged last and without text it is a keep-alive probe (RFC 9293 3.8.4), which is how a target
    // finds out whether we still live.
    const isProbe = segLen === 0 && (flags & SYN) === 0 && sizeBetween(this.rcvAcked, segSeq) < 0;
    if (ahead > windowBytes || isProbe) {
      this.challenge(segLen, nowMs);
      return 0;
    }
    if (segHasTimestamps && this.hasTimestamps) {
      const tsVal = readU32(bytes, at + RESPONSE_TS_VAL);
      const isOlder = ((tsVal - this.tsRecent) | 0) < 0;
      if (isOlder && nowMs - this.tsRecentMs < PAWS_IDLE_MS_MAX) {
        this.challenge(segLen, nowMs);
        return 0;
      }
      // RFC 7323 4.3: the timestamp of the segment that spans what was acknowledged last.
      if (sizeBetween(this.rcvAcked, segSeq) <= 0) {
        this.tsRecent = tsVal;
        this.tsRecentMs = nowMs;
      }
    }
    if (flags & SYN) {
      // A repeated SYN-ACK, or RFC 5961 4.2: challenged, nothing else.
      this.challenge(segLen, nowMs);
      return 0;
    }
    if ((flags & ACK) === 0) return 0;
    this.wasHeardOpen = true;

    let events = 0;
    const tsEcr = segHasTimestamps && this.hasTimestamps ? readU32(bytes, at + RESPONSE_TS_ECR) : -1;
    const window = readU16(bytes, at + RESPONSE_WINDOW) << this.sndWndShift;
    const verdict = this.takeAck(segAck, segSeq, window, nowMs, tsNow, tsEcr, segLen);
    if (verdict === ACK_UNACCEPTABLE) {
      this.challenge(segLen, nowMs);
      return 0;
    }
    if (verdict === ACK_NEW) events |= EVENT_ADVANCED;
    else if (verdict === ACK_NEW_NARROW) events |= EVENT_ADVANCED | EVENT_BLACK_HOLE;

    // Seventh, the segment text; eighth, the FIN.
    if (segLen > 0) {
      const fresh = sizeBetween(this.rcvNxt, add(segSeq, segLen));
      if (fresh <= 0 || this.hasPeerFin) {
        this.mustAck = true;
      } else {
        this.rcvNxt = add(segSeq, segLen);
        this.receivedBytes += fresh;
        this.answerPushed = (flags & (PSH | FIN)) !== 0;
        this.lastAnswerMs = nowMs;
        if (payloadBytes > 0) events |= EVENT_ANSWERED;
        if (flags & FIN) {
          this.hasPeerFin = true;
          this.mustAck = true;
          events |= EVENT_PEER_FIN;
          this.enterAfterPeerFin();
        }
      }
    }
    return events;
  }

  private receiveInSynSent(
    bytes: Uint8Array,
    at: number,
    flags: number,
    segSeq: Seq,
    segAck: Seq,
    nowMs: number,
    tsNow: number,
    mssMax: number,
    isV6: boolean,
  ): number {
    // RFC 9293 3.10.7.3. SND.UNA = ISS, SND.NXT = ISS + 1: exactly one number acknowledges our SYN.
    if ((flags & ACK) !== 0 && sizeBetween(this.iss, segAck) !== 1) {
      return flags & RST ? 0 : EVENT_HALF_OPEN;
    }
    if (flags & RST) return flags & ACK ? EVENT_REFUSED : 0;
    // A SYN without ACK would be a simultaneous open: servers do not do that.
    if ((flags & (SYN | ACK)) !== (SYN | ACK)) return 0;
    const options = bytes[at + RESPONSE_OPTIONS]!;
    this.state = ESTABLISHED;
    this.rcvNxt = add(segSeq, 1);
    this.rcvAcked = segSeq;
    this.mustAck = true;
    // RFC 7323 2.2: the window of a segment with SYN is not scaled.
    this.sndWnd = readU16(bytes, at + RESPONSE_WINDOW);
    this.sndWndMax = this.sndWnd;
    this.sndWl1 = segSeq;
    this.sndWl2 = segAck;
    this.sndWndShift =
      this.offersWindowScale && (options & RESPONSE_HAS_WINDOW_SCALE) !== 0
        ? Math.min(bytes[at + RESPONSE_WINDOW_SCALE]!, WINDOW_SHIFT_MAX)
        : 0;
    this.hasTimestamps = this.offersTimestamps && (options & RESPONSE_HAS_TIMESTAMPS) !== 0;
    if (this.hasTimestamps) {
      this.tsRecent = readU32(bytes, at + RESPONSE_TS_VAL);
      this.tsRecentMs = nowMs;
    }
    const offered = readU16(bytes, at + RESPONSE_MSS) || (isV6 ? MSS_DEFAULT_V6 : MSS_DEFAULT_V4);
    const mss = Math.min(offered, mssMax) - this.optionBytes;
    this.mss = Math.max(mss, MSS_MIN);
    this.openWindow(this.mss);
    const tsEcr = this.hasTimestamps ? readU32(bytes, at + RESPONSE_TS_ECR) : 0;
    this.timeHandshake(nowMs, tsNow, tsEcr);
    return EVENT_ESTABLISHED;
  }

  /** What our SYN offered; the options of the answer count only then (RFC 7323 2.2, 3.2). */
  offersWindowScale = true;
  offersTimestamps = true;

  /** Owes the target an acknowledgement for a segment that was not acceptable (RFC 9293 3.10.7.4, RFC 5961). */
  private challenge(segLen: number, nowMs: number): void {
    if (segLen === 0) {
      if (nowMs < this.challengeAtMs) return;
      this.challengeAtMs = nowMs + CHALLENGE_INTERVAL_MS;
    }
    this.mustAck = true;
  }

  /** The fifth check, the ACK field. Returns an ACK_* verdict. `tsEcr` is -1 without timestamps. */
  private takeAck(
    segAck: Seq,
    segSeq: Seq,
    window: number,
    nowMs: number,
    tsNow: number,
    tsEcr: number,
    segLen = 0,
  ): number {
    const advance = sizeBetween(this.seqAt(this.sndUnaOffset), segAck);
    const finBytes = this.hasSentFin ? 1 : 0;
    // It acknowledges what was never sent, or what no living segment acknowledges (RFC 5961 5.2).
    if (advance > this.sndMaxOffset + finBytes - this.sndUnaOffset) return ACK_UNACCEPTABLE;
    if (advance < -this.sndWndMax) return ACK_UNACCEPTABLE;
    const oldWindow = this.sndWnd;
    if (advance >= 0) {
      const isNewer = lessThan(this.sndWl1, segSeq) || (this.sndWl1 === segSeq && !lessThan(segAck, this.sndWl2));
      // What acknowledges more is newer than all before, also where a target repeats octets of its own whose first header was
      // lost: the window that we know ended at an earlier place.
      if (isNewer || advance > 0) {
        this.sndWnd = window;
        if (window > this.sndWndMax) this.sndWndMax = window;
        this.sndWl1 = segSeq;
        this.sndWl2 = segAck;
      }
    }
    if (advance > 0) {
      const isNarrow = this.mssBeforeTry > 0 && this.endTry(advance);
      if (!isNarrow && advance >= this.mss) this.hasFullThrough = true;
      this.advance(advance, finBytes, nowMs, tsNow, tsEcr);
      return isNarrow ? ACK_NEW_NARROW : ACK_NEW;
    }
    if (oldWindow === 0 && this.sndWnd > 0 && this.retransmits > 0) {
      // The window opens.
      this.endBackOff();
    }
    const inFlight = this.sndMaxOffset > this.sndUnaOffset;
    // RFC 5681 2: what counts as a duplicate acknowledgement. Answers to probes of a closed window do not.
    if (advance === 0 && inFlight && segLen === 0 && window > 0 && this.sndWnd === oldWindow) {
      this.noteDuplicateAck(this.sndUnaOffset, this.sndMaxOffset, this.mss);
    }
    return ACK_OLD;
  }

  /**
   * The first acknowledgement after smaller segments were tried, one at first: is it of that one, or did full ones get through
   * after all?
   */
  private endTry(advance: number): boolean {
    const isNarrow = advance <= this.mss;
    if (!isNarrow) this.mss = this.mssBeforeTry;
    this.mssBeforeTry = 0;
    return isNarrow;
  }

  private advance(advance: number, finBytes: number, nowMs: number, tsNow: number, tsEcr: number): void {
    const unaOffset = this.sndUnaOffset + advance;
    if (this.probeEndOffset >= 0) {
      const sampleMs = tsEcr > 0 ? (tsNow - tsEcr) >>> 0 : -1;
      this.endProbe(unaOffset, this.sndMaxOffset - this.sndUnaOffset, this.mss, nowMs, sampleMs);
    }
    this.sndUnaOffset = unaOffset;
    if (this.sndNxtOffset < unaOffset) this.sndNxtOffset = unaOffset;
    this.mustRetransmit = false;
    this.timeAcknowledged(unaOffset, nowMs, tsNow, tsEcr);
    this.growWindow(advance, unaOffset, this.mss);

    const finIsAcked = finBytes === 1 && unaOffset === this.sndMaxOffset + 1;
    if (finIsAcked) {
      this.enterAfterFinAcked();
      this.rtoAtMs = 0;
    } else if (unaOffset === this.sndMaxOffset && finBytes === 0) {
      this.rtoAtMs = 0;
    } else {
      this.rtoAtMs = nowMs + this.rtoMs;
    }
    this.restartProbe();
  }

  private enterAfterPeerFin(): void {
    if (this.state === ESTABLISHED) this.state = CLOSE_WAIT;
    else if (this.state === FIN_WAIT_1) this.state = CLOSING;
    else if (this.state === FIN_WAIT_2) this.state = TIME_WAIT;
  }

  private enterAfterFinAcked(): void {
    if (this.state === FIN_WAIT_1) this.state = FIN_WAIT_2;
    else if (this.state === CLOSING) this.state = TIME_WAIT;
    else if (this.state === LAST_ACK) this.state = CLOSED;
  }
}
