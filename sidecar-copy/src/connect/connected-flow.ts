/**
 * One target connection of a session over an ordinary socket: the server's side of the engine's TCP, as far as there is need for it
 * where nothing gets lost (RFC 9293 3.10.7), and the socket behind it.
 *
 *   connecting   SYN received; the SYN-ACK goes out when the socket is connected
 *   unreachable  the socket could not be connected, and nobody refused it, or there was no port for it: the next repeated SYN tries again
 *   open         octets go both ways
 *   over         reset by either side, refused, or left
 *
 * What is acknowledged. The engine counts a turn as delivered when it is acknowledged, and never sends it again. So only what the
 * target's host has acknowledged is acknowledged to the engine, and not what the own host has taken: of a target that closes just then,
 * as servers do with idle connections, that is never read. The kernel knows how much is outstanding, but does not say when that
 * changes; it is asked whenever something comes from the target, and by a timer while something is outstanding.
 *
 * Flow control. While the socket has not given all to the kernel, or the target's host acknowledges nothing, the window is closed. So a
 * target that reads slowly slows down its own session only, and the session waits as for a closed window, without timeouts of a loss.
 */
import type { Socket } from 'node:net';
import { ACK, FIN, type PacketHeader, PSH, RST, Seq, SYN } from '@trafficcopy/core';

/** What a flow needs of its channel. */
export interface FlowSurroundings {
  /** Opens a socket; undefined: there is no room for one, and the engine was told. */
  connect(sessionId: number, host: string, port: number, handlers: SocketHandlers): Socket | undefined;
  /** Tells the engine that there is no room for the flow. */
  refuse(sessionId: number, problem: string): void;
  /** Tells people. */
  note(problem: string): void;
  /** There is no local port for the flow just now: it is to try again. */
  noteNoPort(sessionId: number): void;
  /** target --header--> engine. `elapsedUs`: since the last octets of the client were written; below 0: not known. */
  say(
    sessionId: number,
    flags: number,
    seq: number,
    ack: number,
    windowField: number,
    payloadBytes: number,
    elapsedUs: number,
  ): void;
  /** Octets that the kernel has of a socket and the target's host has not acknowledged, a FIN counted as one; undefined when it is closed. */
  unacknowledged(socket: Socket): number | undefined;
  /** So many octets more, or less, wait in a socket. */
  noteQueued(bytes: number): void;
  /** Whether more may wait in sockets. */
  readonly hasRoom: boolean;
}

export interface SocketHandlers {
  /** `isFull`: there may be more where these came from. */
  readonly onRead: (octets: number, isFull: boolean) => void;
  readonly onConnect: () => void;
  readonly onEnd: () => void;
  readonly onFinish: () => void;
  readonly onError: (error: NodeJS.ErrnoException) => void;
  readonly onClose: () => void;
}

const NOT_KNOWN = -1;
/** As large as the field can say (RFC 9293 3.1); 256 KiB where the engine scales it. */
const WINDOW_FIELD = 65_535;
/** With more outstanding than this the kernel is asked at once: an upload goes on. */
const OUTSTANDING_BYTES = 16 * 1024;
/** How often it is asked while something is outstanding: a round trip, doubled each time that nothing has changed. */
const LOOK_MS_MIN = 2;
const LOOK_MS_MAX = 160;
/** A target that does not take the rest of a connection that both sides have closed. */
const CLOSING_MS_MAX = 10_000;
/** Not from the target: this host has no socket, no port or no memory for it. */
const OWN_LIMITS = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EAGAIN']);
/** All local ports are in use towards this target, most of them by connections in TIME-WAIT. */
const NO_PORT = new Set(['EADDRNOTAVAIL', 'EADDRINUSE']);

type FlowState = 'connecting' | 'unreachable' | 'open' | 'over';

export class ConnectedFlow implements SocketHandlers {
  private readonly around: FlowSurroundings;
  private readonly sessionId: number;
  private readonly host: string;
  private readonly port: number;
  private readonly iss: Seq.Seq;
  private state: FlowState = 'unreachable';
  private socket: Socket | undefined;
  /** What the engine sends next, its FIN counted as one. */
  private rcvNxt: Seq.Seq;
  /** The engine's octets up to here the target's host has. */
  private acked: Seq.Seq;
  private sndNxt: Seq.Seq = Seq.seq(0);
  private hasFin = false;
  private isFinDone = false;
  private hasSentFin = false;
  /** Octets in the socket that the kernel has not taken. */
  private queuedBytes = 0;
  private startedMs = 0;
  /** When the last octets were written; 0: none were. */
  private askedMs = 0;
  private roundTripMs = LOOK_MS_MIN;
  private lookMs = LOOK_MS_MIN;
  private timer: NodeJS.Timeout | undefined;
  /** The target's host takes nothing. */
  private isStalled = false;
  private readonly onWritten = (): void => this.written();

  /** `iss`: the sequence number of the engine's SYN. */
  constructor(around: FlowSurroundings, sessionId: number, host: string, port: number, iss: Seq.Seq) {
    this.around = around;
    this.sessionId = sessionId;
    this.host = host;
    this.port = port;
    this.iss = iss;
    this.rcvNxt = Seq.add(iss, 1);
    this.acked = this.rcvNxt;
  }

  isOpenedBy(seq: Seq.Seq): boolean {
    return seq === this.iss;
  }

  /** The engine's SYN, or one that is repeated. */
  syn(): void {
    if (this.state === 'open') this.sayConnected();
    if (this.state !== 'unreachable') return;
    this.state = 'connecting';
    this.startedMs = performance.now();
    this.socket = this.around.connect(this.sessionId, this.host, this.port, this);
    if (this.socket === undefined) this.state = 'over';
  }

  readonly onConnect = (): void => {
    if (this.state !== 'connecting') return;
    this.state = 'open';
    this.roundTripMs = Math.min(Math.max(performance.now() - this.startedMs, LOOK_MS_MIN), LOOK_MS_MAX);
    this.lookMs = this.roundTripMs;
    this.sndNxt = Seq.seq(1);
    this.sayConnected();
  };

  private sayConnected(): void {
    this.around.say(this.sessionId, SYN | ACK, 0, Seq.add(this.iss, 1), WINDOW_FIELD, 0, NOT_KNOWN);
  }

  /** engine --segment behind the SYN--> target. Its octets are copied. */
  segment(bytes: Uint8Array, header: PacketHeader): void {
    const { flags, seq, payloadBytes, payloadOffset } = header;
    if (this.state === 'over') return;
    if (flags & RST) {
      this.reset(seq);
      return;
    }
    if (this.state !== 'open') return;
    const ahead = Seq.sizeBetween(this.rcvNxt, seq);
    if (ahead > 0) return;
    const fresh = payloadBytes + ahead;
    if (payloadBytes > 0) {
      if (fresh > 0 && !this.hasFin) this.take(bytes, payloadOffset - ahead, fresh);
      // Something is repeated, or probes the window.
      else this.acknowledge();
    }
    if (flags & FIN && !this.hasFin && Seq.add(seq, payloadBytes) === this.rcvNxt) this.takeFin();
  }

  private take(bytes: Uint8Array, offset: number, length: number): void {
    const socket = this.socket!;
    // Sent again by its session.
    if (!this.around.hasRoom || !socket.writable) return;
    this.rcvNxt = Seq.add(this.rcvNxt, length);
    this.askedMs = performance.now();
    socket.write(Buffer.from(bytes.subarray(offset, offset + length)), this.onWritten);
    this.measureQueue();
    const isMuch = Seq.sizeBetween(this.acked, this.rcvNxt) > OUTSTANDING_BYTES;
    if ((isMuch && this.look()) || this.queuedBytes > 0) this.acknowledge();
    this.startTimer();
  }

  private takeFin(): void {
    this.hasFin = true;
    this.rcvNxt = Seq.add(this.rcvNxt, 1);
    this.socket!.end();
  }

  readonly onFinish = (): void => {
    this.isFinDone = this.hasFin;
    if (this.state !== 'open') return;
    if (this.look()) this.acknowledge();
    this.startTimer();
  };

  private written(): void {
    const wasQueued = this.queuedBytes > 0;
    this.measureQueue();
    if (!wasQueued || this.queuedBytes > 0 || this.state !== 'open') return;
    this.look();
    this.acknowledge();
  }

  private measureQueue(): void {
    const now = this.socket?.writableLength ?? 0;
    const more = now - this.queuedBytes;
    this.queuedBytes = now;
    if (more !== 0) this.around.noteQueued(more);
  }

  /** Asks how much the target's host has. Returns whether that is more than before. */
  private look(): boolean {
    const finBytes = this.hasFin && !this.isFinDone ? 1 : 0;
    const given = Seq.add(this.rcvNxt, -this.queuedBytes - finBytes);
    const outstanding = this.around.unacknowledged(this.socket!);
    if (outstanding === undefined) return false;
    const acked = Seq.add(given, -outstanding);
    if (!Seq.lessThan(this.acked, acked)) return false;
    this.acked = acked;
    this.isStalled = false;
    this.lookMs = this.roundTripMs;
    return true;
  }

  private acknowledge(): void {
    this.tell(ACK, 0);
  }

  private tell(flags: number, payloadBytes: number): void {
    const isClosed = this.queuedBytes > 0 || this.isStalled;
    const elapsedUs = this.askedMs === 0 ? NOT_KNOWN : (performance.now() - this.askedMs) * 1000;
    const window = isClosed ? 0 : WINDOW_FIELD;
    this.around.say(this.sessionId, flags, this.sndNxt, this.acked, window, payloadBytes, elapsedUs);
    this.sndNxt = Seq.add(this.sndNxt, payloadBytes + (flags & FIN ? 1 : 0));
  }

  readonly onRead = (octets: number, isFull: boolean): void => {
    if (this.state !== 'open') return;
    this.look();
    // What the kernel had is all there is for now: a receiver's sight of PSH (RFC 9293 3.9.1.2).
    this.tell(isFull ? ACK : ACK | PSH, octets);
  };

  readonly onEnd = (): void => {
    if (this.state !== 'open') return;
    this.hasSentFin = true;
    this.look();
    this.tell(FIN | ACK, 0);
  };

  readonly onError = (error: NodeJS.ErrnoException): void => {
    const { state } = this;
    if (state === 'over' || state === 'unreachable') return;
    this.state = 'over';
    if (state === 'open') {
      this.tell(RST | ACK, 0);
      return;
    }
    const { code = '' } = error;
    if (code === 'ECONNREFUSED' || code === 'ECONNRESET') {
      this.around.say(this.sessionId, RST | ACK, 0, Seq.add(this.iss, 1), 0, 0, NOT_KNOWN);
    } else if (OWN_LIMITS.has(code)) {
      this.around.refuse(this.sessionId, `no connection to ${this.host} port ${this.port}: ${code}`);
    } else {
      this.state = 'unreachable';
      if (NO_PORT.has(code)) this.around.noteNoPort(this.sessionId);
      this.around.note(`no connection to ${this.host} port ${this.port}: ${code}; it is tried again until -t`);
    }
  };

  readonly onClose = (): void => {
    clearTimeout(this.timer);
    if (this.queuedBytes !== 0) this.around.noteQueued(-this.queuedBytes);
    this.queuedBytes = 0;
  };

  /** Counts when its number fits (RFC 5961 3.2), what is not acknowledged being the engine's either way. */
  private reset(seq: Seq.Seq): void {
    if (Seq.lessThan(seq, this.acked) || Seq.lessThan(this.rcvNxt, seq)) return;
    this.end();
  }

  /** The engine needs it no more. What both sides have closed ends by itself. */
  leave(): void {
    if (this.state !== 'open' || !this.hasFin || !this.hasSentFin) {
      this.end();
      return;
    }
    this.state = 'over';
    const { socket } = this;
    socket?.setTimeout(CLOSING_MS_MAX, () => socket.resetAndDestroy());
  }

  private end(): void {
    const wasOpen = this.state === 'open';
    this.state = 'over';
    const { socket } = this;
    if (socket === undefined || socket.destroyed) return;
    if (wasOpen) socket.resetAndDestroy();
    else socket.destroy();
  }

  private startTimer(): void {
    if (this.timer !== undefined || !Seq.lessThan(this.acked, this.rcvNxt)) return;
    this.timer = setTimeout(() => this.onTimer(), this.lookMs);
  }

  private onTimer(): void {
    this.timer = undefined;
    if (this.state !== 'open' || this.acked === this.rcvNxt) return;
    if (!this.look()) {
      this.isStalled = true;
      this.lookMs = Math.min(2 * this.lookMs, LOOK_MS_MAX);
    }
    this.acknowledge();
    this.startTimer();
  }
}
