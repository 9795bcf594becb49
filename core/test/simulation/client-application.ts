/** The program of a client: one conversation over one connection, the next turn when it has the answer to the last. */
import type { Conversation } from './conversation.js';
import type { EventQueue } from './event-queue.js';
import type { ReferenceSocket, SocketUser } from './reference-socket.js';
import type { WireSegment } from './wire-segment.js';

export interface ClientManner {
  readonly thinkMs: () => number;
  /** Octets that it writes at once, and how long it takes until it writes again; 0: a turn at once. */
  readonly writeBytes: number;
  readonly writeMs: number;
  /** What it does when it has the last answer: or at once behind the last request (half-close), or in the midst (reset). */
  readonly end: 'close' | 'abort' | 'vanish' | 'half-close';
  /** Aborts so long after it has opened, whatever it is doing; 0: never. */
  readonly abortAfterMs: number;
  readonly greetingBytes: number;
}

export class ClientApplication implements SocketUser {
  readonly #queue: EventQueue;
  readonly #conversation: Conversation;
  readonly #manner: ClientManner;
  readonly #send: (segment: WireSegment) => void;
  readonly #onEnd: () => void;
  #socket!: ReferenceSocket;
  #turn = 0;
  #written = 0;
  #heard = 0;
  /** Octets that online will have sent when it has answered all turns so far. */
  #expected: number;
  #isOver = false;

  constructor(
    queue: EventQueue,
    conversation: Conversation,
    manner: ClientManner,
    send: (segment: WireSegment) => void,
    onEnd: () => void,
  ) {
    this.#queue = queue;
    this.#conversation = conversation;
    this.#manner = manner;
    this.#send = send;
    this.#onEnd = onEnd;
    this.#expected = manner.greetingBytes;
  }

  attach(socket: ReferenceSocket): void {
    this.#socket = socket;
  }

  send(segment: WireSegment): void {
    this.#send(segment);
  }

  text(from: number, to: number): Uint8Array {
    return this.#conversation.whole.subarray(from, to);
  }

  opened(): void {
    const { abortAfterMs } = this.#manner;
    if (abortAfterMs > 0) this.#queue.after(abortAfterMs, () => this.#finish('abort'));
    if (this.#expected === 0) this.#queue.after(this.#manner.thinkMs(), () => this.#speak());
  }

  took(text: Uint8Array): void {
    this.#heard += text.length;
    const socket = this.#socket;
    this.#queue.after(0, () => socket.read(text.length));
    if (this.#heard === this.#expected) this.#queue.after(this.#manner.thinkMs(), () => this.#speak());
  }

  peerFinished(): void {
    this.#finish('close');
  }

  ended(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onEnd();
  }

  complain(what: string): void {
    throw new Error(`a client by the book complains: ${what}`);
  }

  #speak(): void {
    if (this.#isOver) return;
    const turn = this.#conversation.turns[this.#turn];
    if (turn === undefined) {
      this.#finish(this.#manner.end === 'half-close' ? 'close' : this.#manner.end);
      return;
    }
    this.#turn += 1;
    for (const { answerBytes } of turn) this.#expected += answerBytes;
    this.#writeUpTo(turn.at(-1)!.end);
  }

  #writeUpTo(end: number): void {
    if (this.#isOver) return;
    const { writeBytes, writeMs, end: manner } = this.#manner;
    const bytes = writeBytes > 0 ? Math.min(writeBytes, end - this.#written) : end - this.#written;
    this.#written += bytes;
    this.#socket.write(bytes);
    if (this.#written < end) this.#queue.after(writeMs, () => this.#writeUpTo(end));
    else if (manner === 'half-close' && this.#turn === this.#conversation.turns.length) this.#socket.shutdown();
  }

  #finish(how: 'close' | 'abort' | 'vanish'): void {
    if (this.#isOver) return;
    if (how === 'close') {
      this.#socket.shutdown();
      return;
    }
    if (how === 'abort') this.#socket.abort();
    else this.#socket.vanish();
    this.ended();
  }
}
