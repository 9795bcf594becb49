/**
 * Commands of Redis clients (RESP, «Redis serialization protocol specification»): an array of bulk strings, or words in a line. Read in place, nothing is kept.
 */
import { decodeUtf8, encodeUtf8 } from '../../channel/utf8.js';

const STAR = 0x2a;
const DOLLAR = 0x24;
const CR = 0x0d;
const LF = 0x0a;
/** A count or a length: more digits are none of Redis (512 MB). */
const NUMBER_LINE_BYTES_MAX = 14;
/** Words of a command that is looked at as a whole. */
const WORDS_MAX = 16;

/** More octets are needed. */
export const MORE = -1;
/** It is no RESP. */
export const NONE = -2;

/** The number of the line `*3\r\n` or `$5\r\n` at `at`, and where the line ends, or MORE, or NONE. */
export class NumberLine {
  value = 0;
  end = 0;

  read(bytes: Uint8Array, at: number, end: number, mark: number): number {
    if (at >= end) return MORE;
    if (bytes[at] !== mark) return NONE;
    let value = 0;
    for (let index = at + 1; index < end; index += 1) {
      const octet = bytes[index]!;
      if (octet === CR) {
        if (index + 1 >= end) return MORE;
        if (bytes[index + 1] !== LF || index === at + 1) return NONE;
        this.value = value;
        this.end = index + 2;
        return value;
      }
      if (octet < 0x30 || octet > 0x39 || index - at > NUMBER_LINE_BYTES_MAX) return NONE;
      value = value * 10 + octet - 0x30;
    }
    return MORE;
  }
}

const line = new NumberLine();

/** Words in the array at `at`; MORE or NONE. `commandEnd` of the result is behind the count's line. */
export function readCount(bytes: Uint8Array, at: number, end: number, out: NumberLine): number {
  return out.read(bytes, at, end, STAR);
}

/** Octets of the bulk string at `at`; MORE or NONE. */
export function readBulk(bytes: Uint8Array, at: number, end: number, out: NumberLine): number {
  return out.read(bytes, at, end, DOLLAR);
}

/** The whole command at `at`, which is an array, and where it ends; undefined when it is not all there, or has too many words. */
export function wordsAt(
  bytes: Uint8Array,
  at: number,
  end: number,
): { readonly words: readonly string[]; readonly end: number } | undefined {
  const count = readCount(bytes, at, end, line);
  if (count < 0 || count > WORDS_MAX) return undefined;
  const words: string[] = [];
  let next = line.end;
  for (let index = 0; index < count; index += 1) {
    const length = readBulk(bytes, next, end, line);
    if (length < 0 || line.end + length + 2 > end) return undefined;
    words.push(decodeUtf8(bytes, line.end, length));
    next = line.end + length + 2;
  }
  return { words, end: next };
}

/** A command of these words, as an array. */
export function commandOf(words: readonly string[]): Uint8Array {
  const parts = words.map((word) => `$${encodeUtf8(word).length}\r\n${word}\r\n`);
  return encodeUtf8(`*${words.length}\r\n${parts.join('')}`);
}

/** Where the line at `at` ends, its CR LF or LF included; MORE. */
export function endOfLine(bytes: Uint8Array, at: number, end: number): number {
  const feed = bytes.indexOf(LF, at);
  return feed < 0 || feed >= end ? MORE : feed + 1;
}
