import type { SendHandle } from 'node:child_process';
import { receiveError, type TransferredError, transferError } from './transferred-error.js';

/** One of the two ends of the channel between a program and a worker of it, as Node.js has it: a child process, or the own one. */
export interface ProcessEnd {
  readonly connected: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: child processes and the own process differ in what they call their messages.
  send?(message: any, handle: any, options: any, callback: (error: Error | null) => void): boolean;
  on(event: 'message', listener: (message: unknown, handle: unknown) => void): unknown;
}

/** What goes over it: a message (with an id it wants an answer), or an answer. */
type Parcel =
  | { readonly kind: string; readonly body: unknown; readonly id?: number | undefined }
  | { readonly answerTo: number; readonly body?: unknown; readonly error?: TransferredError | undefined };

/** What is done with a message of a kind; what it returns, or its failure, is the answer where one is wanted. */
export type MessageHandler = (body: never, handle: SendHandle | undefined) => unknown;

/** Messages that may be on their way; beyond, those that nobody waits for are dropped: the other process does not keep up. */
const UNDERWAY_MAX = 1000;

/** Messages between a program and a worker, told or asked, in order. Failures of the channel are the other's end, which is told elsewhere. */
export class ProcessLink {
  readonly #end: ProcessEnd;
  readonly #handlers: Readonly<Record<string, MessageHandler>>;
  readonly #asked = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #lastId = 0;
  #underway = 0;
  #dropped = 0;
  #onSent: (() => void)[] = [];

  constructor(end: ProcessEnd, handlers: Readonly<Record<string, MessageHandler>>) {
    this.#end = end;
    this.#handlers = handlers;
    end.on('message', (message, handle) => this.#receive(message as Parcel, handle as SendHandle | undefined));
  }

  /** Messages that were dropped. */
  get dropped(): number {
    return this.#dropped;
  }

  /** False when it was dropped. */
  tell(kind: string, body: unknown, handle?: SendHandle): boolean {
    if (this.#underway >= UNDERWAY_MAX) {
      this.#dropped += 1;
      return false;
    }
    return this.#send({ kind, body }, handle);
  }

  /** Rejects with the other's error, or when it has gone. */
  ask<Answer>(kind: string, body?: unknown): Promise<Answer> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise<Answer>((resolve, reject) => {
      this.#asked.set(id, { resolve: resolve as (value: unknown) => void, reject });
      if (!this.#send({ kind, body, id })) this.#settle(id, new Error('the other process has gone'), undefined);
    });
  }

  /** Resolves when all that was told is with the system: the process may end then. */
  async sent(): Promise<void> {
    if (this.#underway === 0) return;
    await new Promise<void>((resolve) => this.#onSent.push(resolve));
  }

  /** The other has gone: nobody answers any more. */
  close(): void {
    for (const id of [...this.#asked.keys()]) this.#settle(id, new Error('the other process has gone'), undefined);
  }

  #send(parcel: Parcel, handle?: SendHandle): boolean {
    if (!this.#end.connected || this.#end.send === undefined) return false;
    this.#underway += 1;
    this.#end.send(parcel, handle, {}, () => {
      this.#underway -= 1;
      if (this.#underway > 0) return;
      for (const done of this.#onSent) done();
      this.#onSent = [];
    });
    return true;
  }

  #receive(parcel: Parcel, handle: SendHandle | undefined): void {
    if ('answerTo' in parcel) {
      this.#settle(parcel.answerTo, parcel.error && receiveError(parcel.error), parcel.body);
      return;
    }
    const { kind, body, id } = parcel;
    const handler = this.#handlers[kind];
    if (handler === undefined) throw new RangeError(`no handler for messages of the kind "${kind}"`);
    if (id === undefined) {
      handler(body as never, handle);
      return;
    }
    // A handler that throws at once is one that fails.
    Promise.resolve()
      .then(() => handler(body as never, handle))
      .then(
        (answer) => this.#send({ answerTo: id, body: answer }),
        (error: unknown) => this.#send({ answerTo: id, error: transferError(error) }),
      );
  }

  #settle(id: number, error: Error | undefined, body: unknown): void {
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    this.#asked.delete(id);
    if (error === undefined) asked.resolve(body);
    else asked.reject(error);
  }
}
