/** Messages of PostgreSQL's protocol 3 («Message Formats»): type, length with itself, body; the client's first has no type. */
import { encodeUtf8 } from '../../channel/utf8.js';
import { writeU32 } from '../../wire/bytes.js';

export const MESSAGE_HEADER_BYTES = 5;
export const LENGTH_BYTES = 4;

/** A message with a body of `parts`. `type` is one character; empty: the client's first message. */
export function messageOf(type: string, parts: readonly (Uint8Array | string)[]): Uint8Array {
  const octets = parts.map((part) => (typeof part === 'string' ? encodeUtf8(part) : part));
  const length = octets.reduce((sum, part) => sum + part.length, LENGTH_BYTES);
  const bytes = new Uint8Array(type.length + length);
  if (type !== '') bytes[0] = type.charCodeAt(0);
  writeU32(bytes, type.length, length);
  let at = type.length + LENGTH_BYTES;
  for (const part of octets) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeU32(bytes, 0, value);
  return bytes;
}
