/**
 * What a client proves with that it knows a password, without saying it (MySQL internals, «Secure Password Authentication»; «Caching SHA-2 Pluggable
 * Authentication»).
 */
import { encodeUtf8 } from '../../channel/utf8.js';
import type { Digests } from '../digests.js';

export const NATIVE_PASSWORD = 'mysql_native_password';
export const CACHING_SHA2_PASSWORD = 'caching_sha2_password';

/** The proof for a method; undefined for methods that need more than a salt. An empty password has none. */
export function scrambleFor(
  plugin: string,
  digests: Digests,
  password: string,
  salt: Uint8Array,
): Uint8Array | undefined {
  if (plugin !== NATIVE_PASSWORD && plugin !== CACHING_SHA2_PASSWORD) return undefined;
  if (password === '') return new Uint8Array(0);
  const secret = encodeUtf8(password);
  return plugin === NATIVE_PASSWORD ? native(digests, secret, salt) : cachingSha2(digests, secret, salt);
}

/** SHA1(password) XOR SHA1(salt, SHA1(SHA1(password))) */
function native(digests: Digests, password: Uint8Array, salt: Uint8Array): Uint8Array {
  const once = digests.sha1(password);
  return exclusiveOr(once, digests.sha1(concat(salt, digests.sha1(once))));
}

/** SHA256(password) XOR SHA256(SHA256(SHA256(password)), salt) */
function cachingSha2(digests: Digests, password: Uint8Array, salt: Uint8Array): Uint8Array {
  const once = digests.sha256(password);
  return exclusiveOr(once, digests.sha256(concat(digests.sha256(once), salt)));
}

/** The password as a server that does not remember it wants it over plain TCP: under its RSA key. Undefined when the key is none. */
export function sealedPassword(
  digests: Digests,
  password: string,
  salt: Uint8Array,
  publicKeyPem: string,
): Uint8Array | undefined {
  const secret = encodeUtf8(password);
  const masked = new Uint8Array(secret.length + 1);
  masked.set(secret);
  for (let at = 0; at < masked.length; at += 1) masked[at] = masked[at]! ^ salt[at % salt.length]!;
  return digests.encryptOaepSha1(publicKeyPem, masked);
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}

function exclusiveOr(one: Uint8Array, other: Uint8Array): Uint8Array {
  return one.map((octet, at) => octet ^ other[at]!);
}
