/**
 * The server's first packet (MySQL internals, «Protocol::HandshakeV10»): protocol 10, server version, thread id, 8 octets of salt, capabilities,
 * more salt, the method that it proposes.
 */
import { decodeUtf8 } from '../../channel/utf8.js';
import { CAPABILITY } from './capability.js';

const PROTOCOL_VERSION = 10;
/** Salt of the handshake, both parts. */
export const SALT_BYTES = 20;
const FIRST_SALT_BYTES = 8;
/** Behind the version's NUL: thread id 4, salt 8, 0, capabilities 2, character set 1, status 2, capabilities 2, salt's length 1, 10 reserved. */
const SALT_OFFSET = 4;
const LOW_CAPABILITIES = 13;
const HIGH_CAPABILITIES = 18;
const SECOND_SALT = 31;

export interface Greeting {
  readonly capabilities: number;
  readonly salt: Uint8Array;
  /** The method that the server proposes: "mysql_native_password". */
  readonly plugin: string;
}

/** Undefined when the packet's body at [offset, end) is no greeting of protocol 10 with 20 octets of salt. */
export function parseGreeting(bytes: Uint8Array, offset: number, end: number): Greeting | undefined {
  if (bytes[offset] !== PROTOCOL_VERSION) return undefined;
  const nul = bytes.indexOf(0, offset + 1);
  if (nul < 0 || nul >= end) return undefined;
  const at = nul + 1;
  const secondSaltEnd = at + SECOND_SALT + SALT_BYTES - FIRST_SALT_BYTES;
  if (secondSaltEnd > end) return undefined;
  const low = bytes[at + LOW_CAPABILITIES]! | (bytes[at + LOW_CAPABILITIES + 1]! << 8);
  const high = bytes[at + HIGH_CAPABILITIES]! | (bytes[at + HIGH_CAPABILITIES + 1]! << 8);
  const capabilities = ((high << 16) | low) >>> 0;
  if ((capabilities & CAPABILITY.protocol41) === 0 || (capabilities & CAPABILITY.secureConnection) === 0)
    return undefined;
  const salt = new Uint8Array(SALT_BYTES);
  salt.set(bytes.subarray(at + SALT_OFFSET, at + SALT_OFFSET + FIRST_SALT_BYTES));
  salt.set(bytes.subarray(at + SECOND_SALT, secondSaltEnd), FIRST_SALT_BYTES);
  return { capabilities, salt, plugin: textAt(bytes, secondSaltEnd + 1, end) };
}

/** The text from `offset` to a NUL, or to `end`. */
export function textAt(bytes: Uint8Array, offset: number, end: number): string {
  if (offset >= end) return '';
  const nul = bytes.indexOf(0, offset);
  return decodeUtf8(bytes, offset, (nul < 0 || nul > end ? end : nul) - offset);
}
