import { ACK, FIN, PSH, RST, type Segment, SYN } from './raw-segment.js';

/** What a client sent online: payload, or its end. */
interface Held {
  seq: number;
  readonly ack: number;
  payload: Uint8Array;
  readonly isEnd: boolean;
}

/** A response of the target, as its header says. */
export interface ResponseHeader {
  /** The client's. */
  readonly port: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  readonly payloadBytes: number;
}

export interface SessionWays {
  /** The client port at the target from now on: tells intercept. */
  register(port: number): void;
  send(port: number, segment: Pick<Segment, 'seq' | 'ack' | 'flags' | 'options' | 'payload'>): void;
  /** A client port for a connection that the client never made. */
  newPort(): number;
}

const MSS_1460 = [2, 4, 0x05, 0xb4];

/**
 * One session as tcpcopy replays it: the client's own sequence numbers, acknowledgements of the target's; a request is held until the
 * response to the one before has begun, and after the target's end the next one opens a connection by a SYN of its own.
 */
export class ReplayedSession {
  readonly #ways: SessionWays;
  readonly #held: Held[] = [];
  /** Sent since the last response. */
  #unanswered: Held[] = [];
  #port: number;
  #state: 'opening' | 'open' | 'ended' = 'opening';
  #sndUna: number;
  #sndNxt: number;
  #rcvNxt = 0;
  #window = 0;
  #isWaiting = false;
  #lastClientAck: number | undefined;
  #iss = 0;
  #isEndSent = false;
  /** Of {@link #sndUna}, at the last look. */
  #sndUnaSeen = 0;

  constructor(ways: SessionWays, port: number, iss: number) {
    this.#ways = ways;
    this.#port = port;
    this.#sndUna = iss;
    this.#sndNxt = iss;
    this.#open(iss);
  }

  /** Octets or the end of the client. */
  captured(seq: number, ack: number, flags: number, payload: Uint8Array): void {
    if (flags & RST) {
      if (this.#state === 'open') this.#send(RST | ACK);
      this.#state = 'ended';
      this.#held.length = 0;
      return;
    }
    if (payload.length > 0) this.#held.push({ seq, ack, payload, isEnd: false });
    if (flags & FIN)
      this.#held.push({ seq: (seq + payload.length) >>> 0, ack, payload: new Uint8Array(0), isEnd: true });
    this.#pump();
  }

  respond({ port, seq, ack, flags, window, payloadBytes }: ResponseHeader): void {
    // Of a connection that is over.
    if (port !== this.#port) return;
    if (flags & RST) {
      this.#end();
      return;
    }
    if (isAfter(ack, this.#sndUna)) this.#sndUna = ack;
    if (this.#state === 'ended') return;
    if (flags & SYN) {
      if (this.#state === 'open') {
        this.#send(ACK);
        return;
      }
      this.#state = 'open';
      this.#rcvNxt = (seq + 1) >>> 0;
      this.#window = window;
      this.#send(ACK);
      this.#pump();
      return;
    }
    this.#window = window;
    const end = (seq + payloadBytes + (flags & FIN ? 1 : 0)) >>> 0;
    if (payloadBytes > 0) {
      this.#isWaiting = false;
      this.#unanswered = [];
    }
    if (isAfter(end, this.#rcvNxt)) this.#rcvNxt = end;
    if (payloadBytes > 0 || flags & FIN) this.#send(ACK);
    if (flags & FIN) {
      if (!this.#isEndSent) this.#sendFin();
      this.#end();
    }
    this.#pump();
  }

  /** The target has closed: what it did not answer goes again, on another connection. */
  #end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#held.unshift(...this.#unanswered);
    this.#unanswered = [];
    this.#pump();
  }

  /** Every so often: what the target has not acknowledged since the last time goes again. */
  retransmit(): void {
    const isStill = this.#sndUnaSeen === this.#sndUna;
    this.#sndUnaSeen = this.#sndUna;
    if (!isStill || this.#sndUna === this.#sndNxt) return;
    if (this.#state === 'opening') this.#sendSyn();
    for (const { seq, payload } of this.#unanswered) {
      if (!isAfter((seq + payload.length) >>> 0, this.#sndUna)) continue;
      this.#ways.send(this.#port, { seq, ack: this.#rcvNxt, flags: PSH | ACK, payload });
    }
    if (this.#isEndSent) {
      this.#ways.send(this.#port, { seq: (this.#sndNxt - 1) >>> 0, ack: this.#rcvNxt, flags: FIN | ACK });
    }
  }

  #open(iss: number): void {
    this.#state = 'opening';
    this.#isEndSent = false;
    this.#iss = iss;
    this.#isWaiting = false;
    this.#sndUna = iss;
    this.#ways.register(this.#port);
    this.#sendSyn();
    this.#sndNxt = (iss + 1) >>> 0;
  }

  #sendSyn(): void {
    this.#ways.send(this.#port, { seq: this.#iss, ack: 0, flags: SYN, options: MSS_1460 });
  }

  #pump(): void {
    for (let next = this.#held[0]; next !== undefined; next = this.#held[0]) {
      if (this.#state === 'ended') {
        if (next.isEnd) this.#held.length = 0;
        else {
          this.#port = this.#ways.newPort();
          this.#open((next.seq - 1) >>> 0);
        }
        return;
      }
      if (this.#state === 'opening') return;
      const old = (this.#sndNxt - next.seq) | 0;
      if (old < 0) return;
      if (old > 0) {
        next.payload = next.payload.subarray(old);
        next.seq = this.#sndNxt;
        if (next.payload.length === 0) this.#held.shift();
        continue;
      }
      if (!(next.isEnd ? this.#sendEnd() : this.#sendPart(next))) return;
      if (next.payload.length === 0) this.#held.shift();
    }
  }

  /** As much as the target's window takes. False when nothing may go. */
  #sendPart(next: Held): boolean {
    if (this.#isWaiting && next.ack !== this.#lastClientAck) return false;
    const room = this.#window - ((this.#sndNxt - this.#sndUna) | 0);
    const part = next.payload.subarray(0, Math.max(0, room));
    if (part.length === 0) return false;
    this.#ways.send(this.#port, { seq: this.#sndNxt, ack: this.#rcvNxt, flags: PSH | ACK, payload: part });
    this.#unanswered.push({ ...next, payload: part });
    this.#sndNxt = (this.#sndNxt + part.length) >>> 0;
    this.#isWaiting = true;
    this.#lastClientAck = next.ack;
    next.payload = next.payload.subarray(part.length);
    next.seq = this.#sndNxt;
    return true;
  }

  #sendEnd(): boolean {
    if (this.#isWaiting || this.#sndUna !== this.#sndNxt) return false;
    this.#sendFin();
    return true;
  }

  #sendFin(): void {
    this.#send(FIN | ACK);
    this.#sndNxt = (this.#sndNxt + 1) >>> 0;
    this.#isEndSent = true;
  }

  #send(flags: number): void {
    this.#ways.send(this.#port, { seq: this.#sndNxt, ack: this.#rcvNxt, flags });
  }
}

function isAfter(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}
