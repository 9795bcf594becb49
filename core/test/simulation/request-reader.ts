/** Reads the requests of one connection as they come, and compares each octet with what the client sent. */
import { type Conversation, HEADER_BYTES, type Request, readHeader } from './conversation.js';

export class RequestReader {
  /** Whole requests, with where each ends in the stream of this connection. */
  readonly requests: { readonly request: Request; readonly conversation: Conversation; readonly end: number }[] = [];
  readonly #conversations: readonly Conversation[];
  readonly #isLossy: boolean;
  readonly #complain: (what: string) => void;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerBytes = 0;
  #conversation: Conversation | undefined;
  #request: Request | undefined;
  /** Next octet of the request, as an offset in its conversation. */
  #at = 0;
  #bytes = 0;
  #isBroken = false;

  /** `isLossy`: where the SYN of a connection was not captured, it goes on with the one before on the same port. */
  constructor(conversations: readonly Conversation[], isLossy: boolean, complain: (what: string) => void) {
    this.#isLossy = isLossy;
    this.#conversations = conversations;
    this.#complain = complain;
  }

  get bytes(): number {
    return this.#bytes;
  }

  take(text: Uint8Array): void {
    let at = 0;
    while (at < text.length && !this.#isBroken) {
      if (this.#request === undefined) {
        this.#header[this.#headerBytes] = text[at]!;
        this.#headerBytes += 1;
        at += 1;
        if (this.#headerBytes === HEADER_BYTES) this.#begin();
      } else {
        const bytes = Math.min(text.length - at, this.#request.end - this.#at);
        this.#compare(text.subarray(at, at + bytes));
        this.#at += bytes;
        at += bytes;
      }
      if (this.#request !== undefined && this.#at === this.#request.end) this.#finish(this.#bytes + at);
    }
    this.#bytes += text.length;
  }

  #begin(): void {
    this.#headerBytes = 0;
    const named = readHeader(this.#header);
    const conversation = named === undefined ? undefined : this.#conversations[named.number];
    const request = named === undefined ? undefined : conversation?.requests[named.index];
    const before = this.requests.at(-1);
    if (conversation === undefined || request === undefined) {
      this.#break(`no request begins at octet ${this.#bytes} of a connection, but ${this.#header.join(' ')}`);
    } else if (before !== undefined && before.conversation !== conversation && !this.#isLossy) {
      this.#break('requests of two clients on one connection');
    } else if (before?.conversation === conversation && before.request.index >= request.index) {
      this.#break(`request ${request.index} behind ${before.request.index}`);
    } else {
      this.#conversation = conversation;
      this.#request = request;
      this.#at = request.start + HEADER_BYTES;
    }
  }

  #compare(text: Uint8Array): void {
    const expected = this.#conversation!.whole.subarray(this.#at, this.#at + text.length);
    if (Buffer.compare(text, expected) !== 0) this.#break(`request ${this.#request!.index} has other octets`);
  }

  #finish(end: number): void {
    this.requests.push({ request: this.#request!, conversation: this.#conversation!, end });
    this.#request = undefined;
  }

  #break(what: string): void {
    this.#isBroken = true;
    this.#complain(what);
  }
}
