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

/** A string of at most `lengthMax` UTF-16 units without control characters, or undefined. */
export function textField(object: JsonObject, key: string, lengthMax: number): string | undefined {
  const value = Object.hasOwn(object, key) ? object[key] : undefined;
  if (typeof value !== 'string' || value.length > lengthMax) return undefined;
  for (let index = 0; index < value.length; index += 1) {
    const unit = value.charCodeAt(index);
    if (unit < 0x20 || (unit >= 0x7f && unit < 0xa0)) return undefined;
  }
  return value;
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
