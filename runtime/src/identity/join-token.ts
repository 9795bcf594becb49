/**
 * Tokens let one newcomer in. `tc1.<secret>.<pin>`: the secret is 32 random octets, the pin is the SHA-256 of the authority's public key
 * (SubjectPublicKeyInfo), both base64url. The newcomer shows the secret only to a server whose authority has that key.
 */
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { ChannelError } from '../channel/channel-error.js';
import { publicKeyPin } from './credential-check.js';

export interface JoinToken {
  readonly secret: string;
  readonly pin: string;
}

const TOKEN_PATTERN = /^tc1\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})$/;

export function newJoinToken(pin: string): JoinToken {
  return { secret: randomBytes(32).toString('base64url'), pin };
}

export function formatJoinToken(token: JoinToken): string {
  return `tc1.${token.secret}.${token.pin}`;
}

/** @throws {ChannelError} ERR_CHANNEL_TOKEN. The message does not repeat the token. */
export function parseJoinToken(text: string): JoinToken {
  const match = TOKEN_PATTERN.exec(text.trim());
  if (match !== null) return { secret: match[1]!, pin: match[2]! };
  const problem = text.trim().startsWith('tc1.')
    ? 'it is not complete: tc1., 43 characters, a dot, 43 characters'
    : 'it does not begin with tc1.';
  throw new ChannelError(
    'ERR_CHANNEL_TOKEN',
    `the join token cannot be read: ${problem}; copy it whole from intercept's output`,
  );
}

/**
 * What a token of the authority with this certificate (PEM) pins, for those who get the certificate and the secret separately.
 * @throws {ChannelError} ERR_CHANNEL_TOKEN: it is no certificate.
 */
export function authorityPin(certificate: string): string {
  try {
    return publicKeyPin(new X509Certificate(certificate));
  } catch (cause) {
    const message = `the authority's certificate cannot be read: ${(cause as Error).message}`;
    throw new ChannelError('ERR_CHANNEL_TOKEN', message, { cause });
  }
}

/** What is kept of a secret. The secret is random, so a plain hash does not give it away. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
