import { constants, createHash, createHmac, pbkdf2Sync, publicEncrypt } from 'node:crypto';
import type { Digests } from '@trafficcopy/core';

/** Those of Node.js. */
export const NODE_DIGESTS: Digests = {
  sha1: (bytes) => hash('sha1', bytes),
  sha256: (bytes) => hash('sha256', bytes),
  md5: (bytes) => hash('md5', bytes),
  hmacSha256: (key, bytes) => octets(createHmac('sha256', key).update(bytes).digest()),
  pbkdf2Sha256: derived,
  encryptOaepSha1: (publicKeyPem, bytes) => {
    try {
      const padding = constants.RSA_PKCS1_OAEP_PADDING;
      return octets(publicEncrypt({ key: publicKeyPem, padding, oaepHash: 'sha1' }, bytes));
    } catch {
      // The key comes from the target: whatever it is, it is no fault of ours.
      return undefined;
    }
  },
};

function hash(name: string, bytes: Uint8Array): Uint8Array {
  return octets(createHash(name).update(bytes).digest());
}

function octets(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer);
}

/** A server has one salt for each user, and a derivation takes milliseconds: the last ones are kept. */
const DERIVED_MAX = 256;
const kept = new Map<string, Uint8Array>();

function derived(password: Uint8Array, salt: Uint8Array, iterations: number): Uint8Array {
  const key = `${iterations} ${Buffer.from(salt).toString('base64')} ${Buffer.from(password).toString('base64')}`;
  const known = kept.get(key);
  if (known !== undefined) return known;
  if (kept.size >= DERIVED_MAX) kept.delete(kept.keys().next().value!);
  const key32 = octets(pbkdf2Sync(password, salt, iterations, 32, 'sha256'));
  kept.set(key, key32);
  return key32;
}
