import { encodeJson, parseJson, plainText, textField } from './json-payload.js';

/** operator --STOP--> copy, intercept: end the work in order, and do not come back. */
export interface Stop {
  /** For people: why. */
  readonly message: string;
}

const MESSAGE_LENGTH_MAX = 1024;

export function encodeStop(stop: Stop): Uint8Array {
  return encodeJson({ message: plainText(stop.message, MESSAGE_LENGTH_MAX) });
}

/** Never undefined: a stop that cannot be read is still one. */
export function parseStop(bytes: Uint8Array, offset = 0, length: number = bytes.length - offset): Stop {
  const object = parseJson(bytes, offset, length) ?? {};
  return { message: textField(object, 'message', MESSAGE_LENGTH_MAX) ?? '' };
}
