/** The program behind one connection of a server: reads requests at its own pace and answers them. */
import type { Random } from '../kit/random.js';
import type { Conversation, Request } from './conversation.js';
import type { EventQueue } from './event-queue.js';
import type { ReferenceSocket, SocketUser } from './reference-socket.js';
import { RequestReader } from './request-reader.js';
import type { WireSegment } from './wire-segment.js';

export interface ServerManner {
  readonly greetingBytes: number;
  readonly serviceMs: number;
  /** Octets that it reads at once, and how long it takes until it reads again; 0: all, at once. */
  readonly readBytes: number;
  readonly readMs: number;
  /** It does not begin to read before. */
  readonly readAfterMs: number;
  /** Added to each answer's length. */
  readonly answerMore: number;
  /** For each request: what happens behind its answer. */
  readonly fate: (random: Random) => 'stay' | 'close' | 'abort' | 'silent';
  /** Ends its own side as soon as it is opened, and goes on reading and answering nothing. */
  readonly isHalfClosed: boolean;
}

export const PATIENT: ServerManner = {
  greetingBytes: 0,
  serviceMs: 0,
  readBytes: 0,
  readMs: 0,
  readAfterMs: 0,
  answerMore: 0,
  fate: () => 'stay',
  isHalfClosed: false,
};

export interface ServerEvents {
  readonly send: (segment: WireSegment) => void;
  /** The kernel has the whole request. */
  readonly took: (conversation: Conversation, request: Request) => void;
  /** The program has read it. */
  readonly read: (conversation: Conversation, request: Request) => void;
  readonly complain: (what: string) => void;
  /** Whether what comes to it may lack packets for good. */
  readonly isLossy: boolean;
}

/** Answers have no content that anybody looks at. */
const ANSWER = new Uint8Array(256 * 1024);

export class ServerApplication implements SocketUser {
  readonly #queue: EventQueue;
  readonly #random: Random;
  readonly #manner: ServerManner;
  readonly #events: ServerEvents;
  readonly #socket: () => ReferenceSocket;
  readonly #reader: RequestReader;
  #tookCount = 0;
  #readCount = 0;
  #readBytes = 0;
  #isReading = false;
  /** It has ended the connection. */
  #isDone = false;
  #startMs: number;

  constructor(
    queue: EventQueue,
    random: Random,
    manner: ServerManner,
    conversations: readonly Conversation[],
    socket: () => ReferenceSocket,
    events: ServerEvents,
  ) {
    this.#queue = queue;
    this.#random = random;
    this.#manner = manner;
    this.#events = events;
    this.#socket = socket;
    this.#reader = new RequestReader(conversations, events.isLossy, events.complain);
    this.#startMs = queue.nowMs + manner.readAfterMs;
  }

  send(segment: WireSegment): void {
    this.#events.send(segment);
  }

  text(from: number, to: number): Uint8Array {
    return ANSWER.subarray(0, to - from);
  }

  opened(): void {
    if (this.#manner.greetingBytes > 0) this.#socket().write(this.#manner.greetingBytes);
    if (this.#manner.isHalfClosed) this.#socket().shutdown();
  }

  took(text: Uint8Array): void {
    this.#reader.take(text);
    for (; this.#tookCount < this.#reader.requests.length; this.#tookCount += 1) {
      const { conversation, request } = this.#reader.requests[this.#tookCount]!;
      this.#events.took(conversation, request);
    }
    this.#readSoon();
  }

  peerFinished(): void {
    this.#readSoon();
  }

  ended(): void {}

  complain(what: string): void {
    this.#events.complain(what);
  }

  #readSoon(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    const pause = this.#readBytes === 0 ? 0 : this.#manner.readMs;
    this.#queue.at(Math.max(this.#queue.nowMs + pause, this.#startMs), () => {
      this.#isReading = false;
      this.#read();
    });
  }

  #read(): void {
    const socket = this.#socket();
    if (this.#isDone || socket.isForgotten) return;
    const all = socket.unreadBytes;
    const bytes = this.#manner.readBytes > 0 ? Math.min(all, this.#manner.readBytes) : all;
    this.#readBytes += bytes;
    socket.read(bytes);
    while (this.#readCount < this.#reader.requests.length) {
      const { conversation, request, end } = this.#reader.requests[this.#readCount]!;
      if (end > this.#readBytes) break;
      this.#readCount += 1;
      this.#events.read(conversation, request);
      if (this.#manner.isHalfClosed || this.#answer(socket, request)) continue;
      this.#isDone = true;
      return;
    }
    if (bytes < all) this.#readSoon();
    else if (socket.receivedFin) this.#queue.after(this.#manner.serviceMs, () => socket.shutdown());
  }

  /** Returns whether it goes on with the connection. */
  #answer(socket: ReferenceSocket, request: Request): boolean {
    const { serviceMs, answerMore, fate } = this.#manner;
    const end = fate(this.#random);
    if (end === 'silent') return true;
    const answer = (): void => {
      socket.write(Math.max(1, request.answerBytes + answerMore));
      if (end === 'close') socket.close();
      else if (end === 'abort') socket.abort();
    };
    if (serviceMs > 0) this.#queue.after(serviceMs, answer);
    else answer();
    return end === 'stay';
  }
}
