/**
 * Hashes and the one cipher that logins need, synchronous; `core` has none of its own. The edges have those of Node.js
 * (docs/adr/0023-protocol-modules.md). Results are arrays of their own.
 */
export interface Digests {
  sha1(bytes: Uint8Array): Uint8Array;
  sha256(bytes: Uint8Array): Uint8Array;
  md5(bytes: Uint8Array): Uint8Array;
  hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array;
  /** PBKDF2 with HMAC-SHA-256 (RFC 8018 5.2), 32 octets. */
  pbkdf2Sha256(password: Uint8Array, salt: Uint8Array, iterations: number): Uint8Array;
  /** RSAES-OAEP with SHA-1 (RFC 8017 7.1) for a public key in PEM; undefined when that is none, or too small. */
  encryptOaepSha1(publicKeyPem: string, bytes: Uint8Array): Uint8Array | undefined;
}
