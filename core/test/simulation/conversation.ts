/**
 * What one client says on one connection: turns of requests. Each request begins with a header that names it, so that a reader
 * knows a request from the middle of one; all octets behind it are above 127.
 */
import type { Random } from '../kit/random.js';

export const HEADER_BYTES = 6;
const MARK = 1;

export interface Request {
  readonly index: number;
  readonly turn: number;
  /** Where it lies in the conversation's octets. */
  readonly start: number;
  readonly end: number;
  readonly answerBytes: number;
}

export interface ConversationOptions {
  readonly turns: number;
  /** Requests of a turn, at most. */
  readonly pipelined: number;
  readonly requestBytes: () => number;
  readonly answerBytes: () => number;
}

export class Conversation {
  readonly number: number;
  readonly requests: readonly Request[];
  readonly turns: readonly (readonly Request[])[];
  readonly whole: Uint8Array;

  constructor(number: number, random: Random, options: ConversationOptions) {
    this.number = number;
    const requests: Request[] = [];
    let end = 0;
    this.turns = Array.from({ length: options.turns }, (_, turn) =>
      Array.from({ length: 1 + random.below(options.pipelined) }, () => {
        const start = end;
        end += HEADER_BYTES + options.requestBytes();
        const request = { index: requests.length, turn, start, end, answerBytes: options.answerBytes() };
        requests.push(request);
        return request;
      }),
    );
    this.requests = requests;
    this.whole = new Uint8Array(end);
    for (const request of requests) this.#fill(request);
  }

  #fill({ index, start, end }: Request): void {
    const { whole, number } = this;
    const header = [MARK, number >>> 8, number & 255, index >>> 8, index & 255];
    whole.set(header, start);
    whole[start + 5] = checkOf(whole, start);
    for (let at = start + HEADER_BYTES; at < end; at += 1)
      whole[at] = 128 | (Math.imul(at ^ (number << 9), 0x9e3779b1) >>> 24);
  }
}

/** The number of the conversation and the index of the request that a header names; undefined: it is none. */
export function readHeader(header: Uint8Array): { readonly number: number; readonly index: number } | undefined {
  if (header[0] !== MARK || header[5] !== checkOf(header, 0)) return undefined;
  return { number: (header[1]! << 8) | header[2]!, index: (header[3]! << 8) | header[4]! };
}

function checkOf(bytes: Uint8Array, at: number): number {
  return (bytes[at + 1]! ^ bytes[at + 2]! ^ bytes[at + 3]! ^ bytes[at + 4]! ^ 0x55) & 0x7f;
}
