/**
 * The first 8 octets of HELLO, WELCOME and JOIN, the same in every version: magic `TCCH`, major u8, minor u8, reserved u16.
 * They say whether the peer speaks this protocol at all, and which version, before anything else is read.
 */
import { readU32, writeU32 } from '../wire/bytes.js';

export const PREAMBLE_BYTES = 8;
/** ASCII `TCCH`. */
export const PREAMBLE_MAGIC = 0x54434348;

/** Peers of one major version understand each other; a minor version only adds frame types and fields. */
export interface ChannelVersion {
  readonly major: number;
  readonly minor: number;
}

export const CHANNEL_VERSION: ChannelVersion = { major: 1, minor: 0 };

export function writePreamble(bytes: Uint8Array, offset: number, version: ChannelVersion): void {
  writeU32(bytes, offset, PREAMBLE_MAGIC);
  bytes[offset + 4] = version.major;
  bytes[offset + 5] = version.minor;
  bytes[offset + 6] = 0;
  bytes[offset + 7] = 0;
}

/** Undefined when the payload is none of this protocol. */
export function parsePreamble(bytes: Uint8Array, offset: number, length: number): ChannelVersion | undefined {
  if (length < PREAMBLE_BYTES || readU32(bytes, offset) !== PREAMBLE_MAGIC) return undefined;
  return { major: bytes[offset + 4]!, minor: bytes[offset + 5]! };
}

/** `body` behind a preamble, in bytes of its own. */
export function withPreamble(version: ChannelVersion, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(PREAMBLE_BYTES + body.length);
  writePreamble(bytes, 0, version);
  bytes.set(body, PREAMBLE_BYTES);
  return bytes;
}
