import { randomBytes } from 'node:crypto';
import type { ProtocolsConfig } from '@trafficcopy/core';
import { NODE_DIGESTS } from './node-digests.js';
import { type PortLogins, PROTOCOLS } from './port-logins.js';

const NONCE_KEY_BYTES = 32;
/**
 * Of each response as much is asked for: greetings, keys and salts of logins, and the numbers of statements, all of which stand at the
 * start of a segment.
 */
export const LOGIN_PAYLOAD_BYTES = 2048;
/** Of what a socket reads at once (--connect), which may be many segments: more than the answers to a login have together. */
export const LOGIN_READ_BYTES = 16 * 1024;

/** What the engine needs to log in; undefined where nobody does. */
export function engineProtocols(logins: readonly PortLogins[]): ProtocolsConfig | undefined {
  if (logins.length === 0) return undefined;
  const byPort = new Map(
    logins.map(({ port, protocol, credentials }) => [port, { protocol: PROTOCOLS[protocol], credentials }]),
  );
  return { byPort, digests: NODE_DIGESTS, nonceKey: new Uint8Array(randomBytes(NONCE_KEY_BYTES)) };
}
