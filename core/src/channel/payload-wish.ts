/**
 * Among the capabilities of HELLO and WELCOME: an intercept that returns the start of payloads says `payload`, a copy that wants
 * N octets of each segment says `payload:N`. The copy gets them where both do; otherwise nothing is different.
 */
import { KEPT_BYTES_MAX } from '../batch/response-record.js';

/** What an intercept says. */
export const PAYLOAD_CAPABILITY = 'payload';
const PREFIX = `${PAYLOAD_CAPABILITY}:`;
const DIGITS = /^[1-9][0-9]{0,4}$/;

/** What a copy says that wants `bytes` octets of each payload: 1 to KEPT_BYTES_MAX. */
export function payloadWish(bytes: number): string {
  return `${PREFIX}${Math.min(Math.max(Math.floor(bytes), 1), KEPT_BYTES_MAX)}`;
}

/** How many octets a copy with these capabilities wants; 0: none, and what is not understood is none. */
export function payloadBytesWished(capabilities: readonly string[]): number {
  const text = capabilities.find((name) => name.startsWith(PREFIX))?.slice(PREFIX.length) ?? '';
  return DIGITS.test(text) ? Math.min(Number(text), KEPT_BYTES_MAX) : 0;
}
