/** A host that listens on one port: which socket a segment is for, and what happens when there is none (RFC 9293 3.10.7.1). */
import type { EventQueue } from './event-queue.js';
import { ReferenceSocket, type SocketOptions, type SocketUser } from './reference-socket.js';
import { ACK, distance, FIN, RST, SYN, type WireSegment } from './wire-segment.js';

export interface HostOptions {
  /** For each connection. */
  readonly socket: () => SocketOptions;
  /** Whether somebody listens now. */
  readonly isListening: () => boolean;
  readonly user: (peer: string, socket: () => ReferenceSocket) => SocketUser;
  /** Towards a peer that has no socket here. */
  readonly send: (peer: string, segment: WireSegment) => void;
}

const ISS_STEP = 0x100_0000;

export class ReferenceHost {
  readonly sockets = new Map<string, ReferenceSocket>();
  readonly #lastIss = new Map<string, number>();
  readonly #queue: EventQueue;
  readonly #options: HostOptions;

  constructor(queue: EventQueue, options: HostOptions) {
    this.#queue = queue;
    this.#options = options;
  }

  arrive(peer: string, segment: WireSegment): void {
    let socket = this.sockets.get(peer);
    const isSyn = (segment.flags & (SYN | ACK | RST)) === SYN;
    if (socket !== undefined && socket.state === 'TIME-WAIT' && isSyn && isNewer(socket, segment)) socket = undefined;
    if (socket !== undefined && socket.state !== 'CLOSED') {
      socket.arrive(segment);
      return;
    }
    if (isSyn && this.#options.isListening()) this.#accept(peer, segment);
    else if ((segment.flags & RST) === 0) this.#refuse(peer, segment);
  }

  /** It starts again and knows of nothing. */
  forgetAll(): void {
    for (const socket of this.sockets.values()) socket.vanish();
    this.sockets.clear();
  }

  #accept(peer: string, syn: WireSegment): void {
    const user = this.#options.user(peer, () => socket);
    const options = this.#options.socket();
    // RFC 6528 3: numbers of connections with the same ports go up.
    const before = this.#lastIss.get(peer);
    const iss = before === undefined ? options.iss : (before + ISS_STEP) | 0;
    this.#lastIss.set(peer, iss);
    const socket: ReferenceSocket = new ReferenceSocket(this.#queue, { ...options, iss }, user, syn);
    this.sockets.set(peer, socket);
  }

  #refuse(peer: string, { seq, ack, flags, text }: WireSegment): void {
    const length = text.length + (flags & (SYN | FIN) ? 1 : 0);
    const hasAck = (flags & ACK) !== 0;
    this.#options.send(peer, {
      seq: hasAck ? ack : 0,
      ack: hasAck ? 0 : (seq + length) | 0,
      flags: hasAck ? RST : RST | ACK,
      window: 0,
      text: new Uint8Array(0),
      mss: 0,
      windowScale: -1,
      hasTimestamps: false,
      tsVal: 0,
      tsEcr: 0,
    });
  }
}

/** RFC 9293 3.6.1, RFC 6191 2: a SYN that may follow a connection in TIME-WAIT. */
function isNewer(socket: ReferenceSocket, syn: WireSegment): boolean {
  if (syn.hasTimestamps && socket.tsRecent !== 0) {
    const ahead = distance(socket.tsRecent, syn.tsVal);
    return ahead > 0 || (ahead === 0 && distance(socket.rcvNxt, syn.seq) > 0);
  }
  return distance(socket.rcvNxt, syn.seq) > 0;
}
