import { countField, encodeJson, parseJson, textField } from './json-payload.js';
import { CHANNEL_VERSION, type ChannelVersion } from './preamble.js';

/** Why a connection is refused. Those of {@link REFUSALS_TO_RETRY} may pass; the others need somebody to act. */
export const REFUSAL_CODES = [
  /** The major versions differ. */
  'version',
  /** The first frame was not HELLO or JOIN, or a frame could not be read. */
  'protocol',
  /** HELLO or JOIN did not come in time. */
  'handshakeTimeout',
  /** No client certificate, and the first frame was not JOIN. */
  'certificateRequired',
  /** A client certificate that the server's authority did not issue. */
  'certificateUnknown',
  'certificateExpired',
  /** The certificate does not allow the role that HELLO claims, or the server does not serve that role. */
  'role',
  /** The server knows the peer, and does not let it do what it asks for. */
  'forbidden',
  'tokenUnknown',
  'tokenUsed',
  'tokenExpired',
  /** What the token was for existed and was deleted: it does not come back. */
  'gone',
  /** The certificate request cannot be read, or is not signed by its key. */
  'certificateRequest',
  /** The server is no authority. */
  'joinUnavailable',
  'tooManyConnections',
  /** The server ends, or failed inside; try again later. */
  'unavailable',
] as const;
export type RefusalCode = (typeof REFUSAL_CODES)[number];

export const REFUSALS_TO_RETRY: ReadonlySet<RefusalCode> = new Set([
  'handshakeTimeout',
  'tooManyConnections',
  'unavailable',
]);

/** REFUSED: the layout is the same in every version, so that a version mismatch can be told. */
export interface Refusal {
  /** A code that is not known reads as `unavailable`: the peer is newer, and says the rest in `message`. */
  readonly code: RefusalCode;
  /** For a person: what was refused and what to do. */
  readonly message: string;
  /** The version of the side that refuses. */
  readonly version: ChannelVersion;
}

const MESSAGE_LENGTH_MAX = 1024;

export function encodeRefusal(
  code: RefusalCode,
  message: string,
  version: ChannelVersion = CHANNEL_VERSION,
): Uint8Array {
  return encodeJson({
    code,
    message: message.slice(0, MESSAGE_LENGTH_MAX),
    major: version.major,
    minor: version.minor,
  });
}

export function parseRefusal(
  bytes: Uint8Array,
  offset = 0,
  length: number = bytes.length - offset,
): Refusal | undefined {
  const object = parseJson(bytes, offset, length);
  const message = object && textField(object, 'message', MESSAGE_LENGTH_MAX);
  if (object === undefined || message === undefined) return undefined;
  const code = REFUSAL_CODES.find((known) => known === object['code']) ?? 'unavailable';
  const major = countField(object, 'major', 255) ?? 0;
  const minor = countField(object, 'minor', 255) ?? 0;
  return { code, message, version: { major, minor } };
}
