/**
 * JSON payloads (RFC 8259) of frames that are rare. Reading is total: hostile octets give undefined, never an exception.
 */
import { decodeUtf8, encodeUtf8 } from './utf8.js';

/** Any JSON object: only own properties that the reader names are looked at. */
export type JsonObject = { readonly [key: string]: unknown };

export function encodeJson(value: JsonObject): Uint8Array {
  return encodeUtf8(JSON.stringify(value));
}

/** The object, or undefined when the octets are no JSON or another kind of value. */
export function parseJson(
  bytes: Uint8Array,
  offset = 0,
  length: number = bytes.length - offset,
): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(decodeUtf8(bytes, offset, length));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

/** Control characters, and surrogates without their other half. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/gu;

/**
 * A string of at most `lengthMax` UTF-16 units, or undefined. Control characters are not accepted, and neither is half a surrogate pair, which
 * JSON can hold and UTF-8 cannot.
 */
export function textField(object: JsonObject, key: string, lengthMax: number): string | undefined {
  const value = Object.hasOwn(object, key) ? object[key] : undefined;
  return typeof value === 'string' && value.length <= lengthMax && value.search(UNPRINTABLE) < 0 ? value : undefined;
}

/** As {@link textField}, with line breaks allowed: PEM. */
export function linesField(object: JsonObject, key: string, lengthMax: number): string | undefined {
  const value = Object.hasOwn(object, key) ? object[key] : undefined;
  return typeof value === 'string' && value.length <= lengthMax && /^[\n\r\x20-\x7e]*$/.test(value) ? value : undefined;
}

/** A whole number from 0 to `max`, or undefined. */
export function countField(object: JsonObject, key: string, max: number): number | undefined {
  const value = Object.hasOwn(object, key) ? object[key] : undefined;
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max ? value : undefined;
}

/** An array of at most `lengthMax` items, or undefined. */
export function listField(object: JsonObject, key: string, lengthMax: number): readonly unknown[] | undefined {
  const value = Object.hasOwn(object, key) ? object[key] : undefined;
  return Array.isArray(value) && value.length <= lengthMax ? value : undefined;
}

/** `value` as an object whose fields can be read, or undefined. */
export function asJsonObject(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

/** A finite number from 0 to `max`, or undefined. */
export function numberField(object: JsonObject, key: string, max: number): number | undefined {
  const value = Object.hasOwn(object, key) ? object[key] : undefined;
  return typeof value === 'number' && value >= 0 && value <= max ? value : undefined;
}

/** A TCP port, 1 to 65535, or undefined. */
export function portField(object: JsonObject, key: string): number | undefined {
  const port = countField(object, key, 65535);
  return port === 0 ? undefined : port;
}

/** One of `choices`, or undefined. */
export function choiceField<T extends string>(object: JsonObject, key: string, choices: readonly T[]): T | undefined {
  const value = Object.hasOwn(object, key) ? object[key] : undefined;
  return choices.find((choice) => choice === value);
}

/** Every item of a list of at most `lengthMax`, read by `read`; undefined when one cannot be read. */
export function itemsField<T>(
  object: JsonObject,
  key: string,
  lengthMax: number,
  read: (item: unknown) => T | undefined,
): T[] | undefined {
  const list = listField(object, key, lengthMax);
  if (list === undefined) return undefined;
  const items: T[] = [];
  for (const value of list) {
    const item = read(value);
    if (item === undefined) return undefined;
    items.push(item);
  }
  return items;
}

/** A plain word: letters, digits and `-`, at most 64; no name that an object has of itself. */
const WORD = /^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/;

/** An object of at most `lengthMax` counts, their names plain words; undefined when it is another kind of thing. */
export function countsField(object: JsonObject, key: string, lengthMax: number): Record<string, number> | undefined {
  const source = Object.hasOwn(object, key) ? asJsonObject(object[key]) : undefined;
  const names = source === undefined ? [] : Object.keys(source);
  if (source === undefined || names.length > lengthMax) return undefined;
  const counts: Record<string, number> = {};
  for (const name of names) {
    const count = WORD.test(name) ? countField(source, name, Number.MAX_SAFE_INTEGER) : undefined;
    if (count === undefined) return undefined;
    counts[name] = count;
  }
  return counts;
}

/** `value` as a count that every reader accepts: whole, not negative, no NaN. */
export function wholeCount(value: number): number {
  return value > 0 ? Math.min(Math.round(value), Number.MAX_SAFE_INTEGER) : 0;
}

/** The first `lengthMax` of `counts`, each as {@link wholeCount}; names that a reader would not take are left out. */
export function wholeCounts(counts: { readonly [name: string]: number }, lengthMax: number): Record<string, number> {
  const entries = Object.entries(counts).filter(([name]) => WORD.test(name));
  return Object.fromEntries(entries.slice(0, lengthMax).map(([name, count]) => [name, wholeCount(count)]));
}

/** `text` as {@link textField} accepts it: control characters become spaces, and the end is cut off. */
export function plainText(text: string, lengthMax: number): string {
  return text.slice(0, lengthMax).replace(UNPRINTABLE, ' ');
}
