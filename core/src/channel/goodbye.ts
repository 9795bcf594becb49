import { countField, encodeJson, parseJson, textField } from './json-payload.js';

/** Why an established connection is ended by intention. */
export const GOODBYE_CODES = [
  /** The sender ends. */
  'closing',
  /** The receiver did something that the protocol does not allow. */
  'protocol',
  /** The receiver's certificate ended and was not renewed. */
  'certificateExpired',
  /** Connect to `host` and `port` instead: the leader is there. */
  'redirect',
  /** The sender may not, or no longer, serve the receiver. */
  'forbidden',
] as const;
export type GoodbyeCode = (typeof GOODBYE_CODES)[number];

/** GOAWAY. */
export interface Goodbye {
  readonly code: GoodbyeCode;
  /** For a person. */
  readonly message: string;
  /** With `redirect`: where to connect instead. */
  readonly host?: string | undefined;
  readonly port?: number | undefined;
}

const MESSAGE_LENGTH_MAX = 1024;
const HOST_LENGTH_MAX = 255;

export function encodeGoodbye(goodbye: Goodbye): Uint8Array {
  return encodeJson({ ...goodbye, message: goodbye.message.slice(0, MESSAGE_LENGTH_MAX) });
}

/** Never undefined: a farewell that cannot be read is still one. */
export function parseGoodbye(bytes: Uint8Array, offset = 0, length: number = bytes.length - offset): Goodbye {
  const object = parseJson(bytes, offset, length) ?? {};
  const code = GOODBYE_CODES.find((known) => known === object['code']) ?? 'closing';
  const message = textField(object, 'message', MESSAGE_LENGTH_MAX) ?? '';
  const host = textField(object, 'host', HOST_LENGTH_MAX);
  const port = countField(object, 'port', 65535);
  return code === 'redirect' && host && port ? { code, message, host, port } : { code, message };
}
