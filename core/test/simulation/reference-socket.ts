/**
 * One end of a TCP connection by the book: RFC 9293 3.10, with RFC 5961 (blind attacks), 6298 (timer) and 7323 (timestamps, window
 * scale). Client, online and target of the simulation all have it. It shares nothing with core/src/session, so that one
 * misreading is not made twice; where the text leaves a choice it does as Linux does.
 *
 * As receiver it is strict: it complains of everything that a peer by the book would not send.
 */
import type { EventQueue } from './event-queue.js';
import { ACK, distance, FIN, PSH, RST, SYN, type WireSegment } from './wire-segment.js';

export type SocketState =
  | 'SYN-SENT'
  | 'SYN-RECEIVED'
  | 'ESTABLISHED'
  | 'FIN-WAIT-1'
  | 'FIN-WAIT-2'
  | 'CLOSE-WAIT'
  | 'CLOSING'
  | 'LAST-ACK'
  | 'TIME-WAIT'
  | 'CLOSED';

export interface SocketOptions {
  readonly iss: number;
  /** Text that a segment to it may have, said in its SYN; 0: nothing is said. */
  readonly mss: number;
  readonly isV6: boolean;
  readonly receiveBufferBytes: number;
  /** -1: does not know of window scaling. */
  readonly windowScale: number;
  readonly hasTimestamps: boolean;
  readonly timestampBase: number;
  readonly timeWaitMs: number;
  /** Says every octet of room at once, against RFC 9293 3.8.6.2.2. */
  readonly isSilly: boolean;
  /** Octets of options that the peer's segments carry beside timestamps. */
  readonly peerMarkBytes: number;
}

export interface SocketUser {
  send(segment: WireSegment): void;
  /** The octets [from, to) of what is sent. */
  text(from: number, to: number): Uint8Array;
  opened(): void;
  /** The next octets of the stream are in the receive buffer. */
  took(text: Uint8Array): void;
  peerFinished(): void;
  /** It is over: by reset, timeout, or as both wanted. */
  ended(how: 'reset' | 'timeout' | 'closed'): void;
  complain(what: string): void;
}

const NO_TEXT = new Uint8Array(0);
const RTO_MIN_MS = 200;
const RTO_MAX_MS = 60_000;
const DELAYED_ACK_MS = 40;
const RETRIES_MAX = 15;
const CHALLENGE_INTERVAL_MS = 500;
const WINDOW_SEGMENTS_MAX = 64;

interface Early {
  readonly seq: number;
  readonly text: Uint8Array;
  readonly hasFin: boolean;
}

export class ReferenceSocket {
  state: SocketState;
  readonly #queue: EventQueue;
  readonly #options: SocketOptions;
  readonly #user: SocketUser;
  /** With its host's memory its program is gone, too. */
  isForgotten = false;
  irs = 0;
  rcvNxt = 0;
  /** Behind the last octet that the peer was ever allowed to send. */
  #rightEdge = 0;
  #lastAckSent = 0;
  #unreadBytes = 0;
  #early: Early[] = [];
  #hasPeerFin = false;
  #isDeaf = false;
  /** Octets that may be sent in all, and where sending stands. */
  #sendEnd = 0;
  #una = 0;
  #nxt = 0;
  #max = 0;
  #wantsFin = false;
  #hasSentFin = false;
  #finIsAcked = false;
  #window = 0;
  #windowMax = 0;
  #wl1 = 0;
  #wl2 = 0;
  #segmentBytes = 536;
  #congestionSegments = 10;
  #duplicates = 0;
  #usesScale = false;
  #peerScale = 0;
  #usesTimestamps = false;
  tsRecent = 0;
  #rtoBaseMs = 1000;
  #rtoMs = 1000;
  #rtoAtMs = 0;
  #ackAtMs = 0;
  #endAtMs = 0;
  #retries = 0;
  #openedAtMs: number;
  #challengeAtMs = 0;
  #wakeAtMs = Number.POSITIVE_INFINITY;

  /** Opens actively, or passively as answer to `syn`. */
  constructor(queue: EventQueue, options: SocketOptions, user: SocketUser, syn?: WireSegment) {
    this.#queue = queue;
    this.#options = options;
    this.#user = user;
    this.#openedAtMs = queue.nowMs;
    if (syn === undefined) {
      this.state = 'SYN-SENT';
    } else {
      this.state = 'SYN-RECEIVED';
      this.irs = syn.seq;
      this.rcvNxt = (syn.seq + 1) | 0;
      this.#takeOptions(syn);
      this.#window = syn.window;
      this.#windowMax = syn.window;
      this.#wl1 = syn.seq;
      this.#wl2 = options.iss;
    }
    this.#sendSyn();
    this.#rtoAtMs = queue.nowMs + this.#rtoMs;
    this.#arm();
  }

  get unreadBytes(): number {
    return this.#unreadBytes;
  }

  get isOpen(): boolean {
    return this.state !== 'CLOSED' && this.state !== 'TIME-WAIT';
  }

  /** Whether everything written was acknowledged. */
  get isQuiet(): boolean {
    return this.#una === this.#sendEnd;
  }

  get receivedFin(): boolean {
    return this.#hasPeerFin;
  }

  /** Lets `bytes` more go. */
  write(bytes: number): void {
    if (!this.isOpen || this.#wantsFin) return;
    this.#sendEnd += bytes;
    this.#output();
    this.#arm();
  }

  /** The application has taken so many octets out of the buffer. */
  read(bytes: number): void {
    const before = distance(this.rcvNxt, this.#rightEdge);
    this.#unreadBytes -= bytes;
    if (this.state !== 'ESTABLISHED' && this.state !== 'FIN-WAIT-1' && this.state !== 'FIN-WAIT-2') return;
    const room = this.#options.receiveBufferBytes - this.#unreadBytes;
    const step = this.#options.isSilly ? 1 : Math.min(this.#options.receiveBufferBytes >> 1, this.#mssOwn());
    if (room - before >= step) this.#acknowledge();
    this.#arm();
  }

  /** Ends the sending side. */
  shutdown(): void {
    if (this.#wantsFin || !this.isOpen) return;
    this.#wantsFin = true;
    this.#output();
    this.#arm();
  }

  /** Ends both sides: what is not read, or still comes, is answered with a reset (RFC 9293 3.10.4, RFC 2525 2.17). */
  close(): void {
    if (!this.isOpen) return;
    if (this.#unreadBytes > 0) {
      this.abort();
      return;
    }
    this.#isDeaf = true;
    this.shutdown();
  }

  abort(): void {
    if (this.state !== 'CLOSED' && this.state !== 'TIME-WAIT' && this.state !== 'SYN-SENT') {
      this.#emit(this.#seqOfEnd(), RST | ACK, NO_TEXT);
    }
    this.#end('reset');
  }

  /** The host has forgotten it: no word to the peer. */
  vanish(): void {
    this.state = 'CLOSED';
    this.isForgotten = true;
  }

  /** SEGMENT ARRIVES, RFC 9293 3.10.7. */
  arrive(segment: WireSegment): void {
    if (this.state === 'CLOSED') return;
    if (this.state === 'SYN-SENT') this.#arriveInSynSent(segment);
    else this.#arriveOtherwise(segment);
    this.#output();
    this.#arm();
  }

  #arriveInSynSent(segment: WireSegment): void {
    const { flags, ack, seq } = segment;
    const isAcceptable = (flags & ACK) !== 0 && ack === ((this.#options.iss + 1) | 0);
    if (flags & ACK && !isAcceptable) {
      if ((flags & RST) === 0) this.#user.send({ ...this.#bare(), seq: ack, flags: RST, hasTimestamps: false });
      return;
    }
    if (flags & RST) {
      if (isAcceptable) this.#end('reset');
      return;
    }
    if ((flags & SYN) === 0 || !isAcceptable) return;
    this.irs = seq;
    this.rcvNxt = (seq + 1) | 0;
    this.#rightEdge = (this.rcvNxt + Math.min(this.#options.receiveBufferBytes, 65_535)) | 0;
    this.#takeOptions(segment);
    this.#window = segment.window;
    this.#windowMax = segment.window;
    this.#wl1 = seq;
    this.#wl2 = ack;
    this.state = 'ESTABLISHED';
    this.#rtoAtMs = 0;
    this.#measure();
    this.#acknowledge();
    this.#user.opened();
  }

  #arriveOtherwise(segment: WireSegment): void {
    const { flags, seq, text } = segment;
    const isReset = (flags & RST) !== 0;
    const first = distance(this.rcvNxt, seq);
    const length = text.length + (flags & FIN ? 1 : 0);
    if (this.state === 'SYN-RECEIVED' && flags & SYN && (flags & ACK) === 0 && seq === this.irs) {
      this.#sendSyn();
      return;
    }
    this.#lookAt(segment, first);
    if (this.#usesTimestamps && segment.hasTimestamps && !isReset) {
      // RFC 7323 5.3 R1.
      if (distance(this.tsRecent, segment.tsVal) < 0) {
        this.#challenge(length);
        return;
      }
    }
    const window = distance(this.rcvNxt, this.#rightEdge);
    // First, check sequence number (3.10.7.4).
    const isAcceptable =
      length === 0 ? first >= 0 && first <= window : first < window && first + length > 0 && (first >= 0 || window > 0);
    if (!isAcceptable) {
      if (!isReset) this.#challenge(length);
      return;
    }
    // Second, the RST bit (RFC 5961 3.2).
    if (isReset) {
      if (first === 0) this.#end('reset');
      else this.#challenge(0);
      return;
    }
    // Fourth, the SYN bit (RFC 5961 4.2).
    if (flags & SYN) {
      this.#challenge(0);
      return;
    }
    // RFC 7323 5.3 R3.
    if (this.#usesTimestamps && segment.hasTimestamps && distance(this.#lastAckSent, seq) <= 0) {
      this.tsRecent = segment.tsVal;
    }
    // Fifth, the ACK field.
    if ((flags & ACK) === 0 || !this.#takeAck(segment)) return;
    // The user may have ended it when it was opened.
    if (!this.#isReceiving()) {
      if (length > 0) this.#acknowledge();
      return;
    }
    if (length > 0) this.#takeText(seq, text, (flags & FIN) !== 0);
  }

  /** What a peer by the book does not send. */
  #lookAt({ flags, ack, text, hasTimestamps }: WireSegment, first: number): void {
    // Old segments of another connection are not of this one's doing, also where an old SYN of that one has made this socket.
    if (Math.abs(first) > 0x80_0000 || this.state === 'TIME-WAIT') return;
    if (this.state === 'SYN-RECEIVED' && ack !== this.#seqAt(0)) return;
    const window = distance(this.rcvNxt, this.#rightEdge);
    const isProbe = text.length === 1 && first <= window;
    if (text.length > 0 && first + text.length > window && !isProbe) {
      this.#user.complain(`${first + text.length - window} octets beyond the window of ${window}`);
    }
    const textMax = this.#mssOwn() - (this.#usesTimestamps ? 12 : 0) - this.#options.peerMarkBytes;
    if (text.length > textMax) this.#user.complain(`a segment of ${text.length} octets where ${textMax} fit`);
    if (this.state !== 'SYN-RECEIVED' && this.#usesTimestamps && !hasTimestamps && (flags & (RST | SYN)) === 0)
      this.#user.complain('no timestamps');
  }

  /** Returns whether the rest of the segment counts. */
  #takeAck(segment: WireSegment): boolean {
    const { ack, seq, window } = segment;
    const advance = distance(this.#seqAt(this.#una), ack);
    if (this.state === 'SYN-RECEIVED') {
      if (advance < 0 || advance > this.#max - this.#una) {
        this.#user.send({ ...this.#bare(), seq: ack, flags: RST });
        return false;
      }
      this.state = 'ESTABLISHED';
      this.#rtoAtMs = 0;
      this.#retries = 0;
      this.#measure();
      this.#window = window << this.#peerScale;
      this.#windowMax = this.#window;
      this.#wl1 = seq;
      this.#wl2 = ack;
      this.#user.opened();
    }
    const sent = this.#max + (this.#hasSentFin ? 1 : 0) - this.#una;
    if (advance > sent) {
      this.#user.complain(`an acknowledgement of ${advance - sent} octets that were not sent`);
      this.#challenge(0);
      return false;
    }
    // RFC 5961 5.2.
    if (advance < -this.#windowMax) {
      this.#challenge(0);
      return false;
    }
    const scaled = window << this.#peerScale;
    const isNewer = distance(this.#wl1, seq) > 0 || (this.#wl1 === seq && distance(this.#wl2, ack) >= 0);
    if (advance > 0 || (advance === 0 && isNewer)) {
      const isSame = this.#window === scaled;
      this.#window = scaled;
      this.#windowMax = Math.max(this.#windowMax, scaled);
      this.#wl1 = seq;
      this.#wl2 = ack;
      if (advance === 0 && isSame && segment.text.length === 0 && this.#max > this.#una) this.#noteDuplicate();
    }
    if (advance > 0) this.#advance(advance);
    return true;
  }

  #advance(advance: number): void {
    this.#una += advance;
    if (this.#hasSentFin && this.#una > this.#sendEnd) {
      this.#una = this.#sendEnd;
      this.#finIsAcked = true;
    }
    this.#nxt = Math.max(this.#nxt, this.#una);
    this.#duplicates = 0;
    this.#retries = 0;
    this.#rtoMs = this.#rtoBaseMs;
    this.#congestionSegments = Math.min(this.#congestionSegments + 1, WINDOW_SEGMENTS_MAX);
    const isAllAcked = this.#una === this.#max && (!this.#hasSentFin || this.#finIsAcked);
    this.#rtoAtMs = isAllAcked ? 0 : this.#queue.nowMs + this.#rtoMs;
    if (!this.#finIsAcked) return;
    if (this.state === 'FIN-WAIT-1') this.state = 'FIN-WAIT-2';
    else if (this.state === 'CLOSING') this.#wait();
    else if (this.state === 'LAST-ACK') this.#end('closed');
  }

  #noteDuplicate(): void {
    this.#duplicates += 1;
    if (this.#duplicates !== 3) return;
    this.#congestionSegments = Math.max(2, this.#congestionSegments >> 1);
    this.#sendFrom(this.#una);
  }

  #isReceiving(): boolean {
    return this.state === 'ESTABLISHED' || this.state === 'FIN-WAIT-1' || this.state === 'FIN-WAIT-2';
  }

  #takeText(seq: number, text: Uint8Array, hasFin: boolean): void {
    if (this.#isDeaf && text.length > 0 && distance(this.rcvNxt, seq) + text.length > 0) {
      this.#user.send({ ...this.#bare(), seq: this.#seqOfEnd(), flags: RST | ACK });
      this.#end('reset');
      return;
    }
    const first = distance(this.rcvNxt, seq);
    const window = distance(this.rcvNxt, this.#rightEdge);
    const end = Math.min(text.length, window - first);
    const isWhole = end === text.length;
    if (first > 0) {
      this.#early.push({ seq, text: text.slice(0, end), hasFin: hasFin && isWhole });
      this.#acknowledge();
      return;
    }
    const hadEarly = this.#early.length > 0;
    const owed = this.#accept(text.subarray(-first, Math.max(end, -first)), hasFin && isWhole);
    while (this.#takeEarly());
    const unsaid = distance(this.#lastAckSent, this.rcvNxt);
    if (hadEarly || !owed || this.#hasPeerFin || unsaid >= 2 * this.#segmentOfPeer()) this.#acknowledge();
    else if (this.#ackAtMs === 0) this.#ackAtMs = this.#queue.nowMs + DELAYED_ACK_MS;
  }

  /** Moves one early segment that fits now into the stream. */
  #takeEarly(): boolean {
    for (const [index, { seq, text, hasFin }] of this.#early.entries()) {
      const first = distance(this.rcvNxt, seq);
      if (first > 0) continue;
      this.#early.splice(index, 1);
      if (first + text.length + (hasFin ? 1 : 0) > 0)
        this.#accept(text.subarray(Math.min(-first, text.length)), hasFin);
      return true;
    }
    return false;
  }

  /** Returns whether there was anything new. */
  #accept(text: Uint8Array, hasFin: boolean): boolean {
    if (this.#hasPeerFin) return false;
    this.rcvNxt = (this.rcvNxt + text.length) | 0;
    this.#unreadBytes += text.length;
    if (text.length > 0) this.#user.took(text);
    if (!hasFin || !this.#isReceiving()) return text.length > 0;
    this.rcvNxt = (this.rcvNxt + 1) | 0;
    this.#hasPeerFin = true;
    if (this.state === 'ESTABLISHED') this.state = 'CLOSE-WAIT';
    else if (this.state === 'FIN-WAIT-1') this.state = 'CLOSING';
    else this.#wait();
    this.#user.peerFinished();
    return true;
  }

  #wait(): void {
    this.state = 'TIME-WAIT';
    this.#rtoAtMs = 0;
    this.#endAtMs = this.#queue.nowMs + this.#options.timeWaitMs;
  }

  #end(how: 'reset' | 'timeout' | 'closed'): void {
    if (this.state === 'CLOSED') return;
    this.state = 'CLOSED';
    this.#user.ended(how);
  }

  /** RFC 5961 7: answers to what is not acceptable are rare where they may meet their like. */
  #challenge(length: number): void {
    if (length === 0) {
      if (this.#queue.nowMs < this.#challengeAtMs) return;
      this.#challengeAtMs = this.#queue.nowMs + CHALLENGE_INTERVAL_MS;
    }
    this.#acknowledge();
  }

  #acknowledge(): void {
    if (this.state === 'SYN-RECEIVED') return;
    this.#emit(this.#seqOfEnd(), ACK, NO_TEXT);
  }

  #output(): void {
    if (this.state === 'SYN-SENT' || this.state === 'SYN-RECEIVED' || this.state === 'CLOSED') return;
    for (;;) {
      const left = this.#sendEnd - this.#nxt;
      if (left <= 0) break;
      const window = Math.min(this.#window, this.#congestionSegments * this.#segmentBytes);
      const bytes = Math.min(this.#segmentBytes, left, this.#una + window - this.#nxt);
      if (bytes <= 0 || (bytes < left && bytes < this.#segmentBytes && this.#nxt > this.#una)) break;
      this.#sendFrom(this.#nxt, bytes);
    }
    if (this.#wantsFin && !this.#hasSentFin && this.#nxt === this.#sendEnd) this.#sendFin();
    // RFC 9293 3.8.6.1: what waits before a closed window is asked for by the timer.
    if (this.#nxt < this.#sendEnd && this.#rtoAtMs === 0) this.#rtoAtMs = this.#queue.nowMs + this.#rtoMs;
  }

  #sendFrom(offset: number, bytesMax = this.#segmentBytes): void {
    const bytes = Math.min(bytesMax, this.#sendEnd - offset, this.#segmentBytes);
    const isEnd = offset + bytes === this.#sendEnd;
    this.#emit(this.#seqAt(offset), isEnd ? ACK | PSH : ACK, this.#user.text(offset, offset + bytes));
    this.#nxt = Math.max(this.#nxt, offset + bytes);
    this.#max = Math.max(this.#max, this.#nxt);
    if (this.#rtoAtMs === 0) this.#rtoAtMs = this.#queue.nowMs + this.#rtoMs;
  }

  #sendFin(): void {
    this.#hasSentFin = true;
    this.#emit(this.#seqAt(this.#sendEnd), FIN | ACK, NO_TEXT);
    if (this.state === 'ESTABLISHED') this.state = 'FIN-WAIT-1';
    else if (this.state === 'CLOSE-WAIT') this.state = 'LAST-ACK';
    if (this.#rtoAtMs === 0) this.#rtoAtMs = this.#queue.nowMs + this.#rtoMs;
  }

  #sendSyn(): void {
    const { iss, mss, windowScale, hasTimestamps, receiveBufferBytes } = this.#options;
    const isAnswer = this.state === 'SYN-RECEIVED';
    const window = Math.min(receiveBufferBytes, 65_535);
    this.#rightEdge = (this.rcvNxt + window) | 0;
    this.#lastAckSent = this.rcvNxt;
    this.#user.send({
      ...this.#bare(),
      seq: iss,
      ack: isAnswer ? this.rcvNxt : 0,
      flags: isAnswer ? SYN | ACK : SYN,
      window,
      mss,
      windowScale: isAnswer && !this.#usesScale ? -1 : windowScale,
      hasTimestamps: isAnswer ? this.#usesTimestamps : hasTimestamps,
    });
  }

  #emit(seq: number, flags: number, text: Uint8Array): void {
    this.#user.send({ ...this.#bare(), seq, flags, text });
    this.#ackAtMs = 0;
  }

  /** A segment without text: acknowledges all, and says the window. */
  #bare(): WireSegment {
    const scale = this.#usesScale ? this.#options.windowScale : 0;
    const shown = distance(this.rcvNxt, this.#rightEdge);
    const room = Math.max(0, this.#options.receiveBufferBytes - this.#unreadBytes);
    const step = this.#options.isSilly ? 1 : Math.min(this.#options.receiveBufferBytes >> 1, this.#mssOwn());
    // RFC 9293 3.8.6.2.2: the edge stays until there is room worth saying; it never goes back (3.8.6).
    const wanted = room - shown >= step ? room : shown;
    const field = Math.min(65_535, Math.ceil(Math.max(wanted, 0) / 2 ** scale));
    const isSynchronized = this.state !== 'SYN-SENT' && this.state !== 'SYN-RECEIVED';
    if (isSynchronized) {
      const edge = (this.rcvNxt + (field << scale)) | 0;
      if (distance(this.#rightEdge, edge) > 0) this.#rightEdge = edge;
      this.#lastAckSent = this.rcvNxt;
    }
    return {
      seq: 0,
      ack: this.rcvNxt,
      flags: ACK,
      window: field,
      text: NO_TEXT,
      mss: 0,
      windowScale: -1,
      hasTimestamps: this.#usesTimestamps,
      tsVal: (Math.floor(this.#queue.nowMs) + this.#options.timestampBase) >>> 0,
      tsEcr: this.tsRecent,
    };
  }

  #takeOptions(segment: WireSegment): void {
    const { windowScale, hasTimestamps, isV6 } = this.#options;
    this.#usesScale = windowScale >= 0 && segment.windowScale >= 0;
    this.#peerScale = this.#usesScale ? Math.min(segment.windowScale, 14) : 0;
    this.#usesTimestamps = hasTimestamps && segment.hasTimestamps;
    if (this.#usesTimestamps) this.tsRecent = segment.tsVal;
    const offered = segment.mss > 0 ? segment.mss : isV6 ? 1220 : 536;
    this.#segmentBytes = Math.max(offered - (this.#usesTimestamps ? 12 : 0), 36);
  }

  /** RFC 6298 2, with the handshake as the only sample. */
  #measure(): void {
    if (this.#retries > 0) return;
    this.#rtoBaseMs = Math.max(RTO_MIN_MS, 3 * (this.#queue.nowMs - this.#openedAtMs));
    this.#rtoMs = this.#rtoBaseMs;
  }

  #mssOwn(): number {
    return this.#options.mss > 0 ? this.#options.mss : this.#options.isV6 ? 1220 : 536;
  }

  #segmentOfPeer(): number {
    return Math.min(this.#mssOwn(), 1460);
  }

  #seqAt(offset: number): number {
    return (this.#options.iss + 1 + offset) | 0;
  }

  #seqOfEnd(): number {
    return this.#seqAt(this.#max + (this.#hasSentFin ? 1 : 0));
  }

  /** One call of the queue is under way at most; one that comes too early is made again. */
  #arm(): void {
    let at = Number.POSITIVE_INFINITY;
    for (const deadline of [this.#rtoAtMs, this.#ackAtMs, this.#endAtMs]) {
      if (deadline > 0 && deadline < at) at = deadline;
    }
    if (at >= this.#wakeAtMs || this.state === 'CLOSED') return;
    this.#wakeAtMs = at;
    this.#queue.at(at, () => {
      if (this.#wakeAtMs !== at) return;
      this.#wakeAtMs = Number.POSITIVE_INFINITY;
      this.#wake();
      this.#arm();
    });
  }

  #wake(): void {
    const { nowMs } = this.#queue;
    if (this.state === 'CLOSED') return;
    if (this.#endAtMs > 0 && nowMs >= this.#endAtMs) {
      this.#end('closed');
      return;
    }
    if (this.#ackAtMs > 0 && nowMs >= this.#ackAtMs) this.#acknowledge();
    if (this.#rtoAtMs > 0 && nowMs >= this.#rtoAtMs) this.#timeOut();
  }

  /** RFC 6298 5.4 to 5.6. */
  #timeOut(): void {
    this.#retries += 1;
    if (this.#retries > RETRIES_MAX) {
      this.#end('timeout');
      return;
    }
    this.#rtoMs = Math.min(this.#rtoMs * 2, RTO_MAX_MS);
    this.#rtoAtMs = this.#queue.nowMs + this.#rtoMs;
    if (this.state === 'SYN-SENT' || this.state === 'SYN-RECEIVED') {
      this.#sendSyn();
    } else if (this.#window === 0 && this.#una < this.#sendEnd) {
      this.#retries = 1;
      this.#sendFrom(this.#una, 1);
      this.#nxt = this.#una;
    } else if (this.#una < this.#max) {
      this.#congestionSegments = 1;
      this.#nxt = this.#una;
      this.#sendFrom(this.#una);
    } else if (this.#hasSentFin && !this.#finIsAcked) {
      this.#emit(this.#seqAt(this.#sendEnd), FIN | ACK, NO_TEXT);
    } else {
      this.#rtoAtMs = 0;
    }
  }
}
