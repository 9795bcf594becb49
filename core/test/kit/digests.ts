/** Those of Node.js, for tests. */
import { constants, createHash, createHmac, pbkdf2Sync, publicEncrypt } from 'node:crypto';
import type { Digests } from '../../src/protocol/digests.js';

const hash = (name: string, bytes: Uint8Array): Uint8Array => Uint8Array.from(createHash(name).update(bytes).digest());

export const DIGESTS: Digests = {
  sha1: (bytes) => hash('sha1', bytes),
  sha256: (bytes) => hash('sha256', bytes),
  md5: (bytes) => hash('md5', bytes),
  hmacSha256: (key, bytes) => Uint8Array.from(createHmac('sha256', key).update(bytes).digest()),
  pbkdf2Sha256: (password, salt, iterations) => Uint8Array.from(pbkdf2Sync(password, salt, iterations, 32, 'sha256')),
  encryptOaepSha1: (key, bytes) => {
    try {
      return Uint8Array.from(
        publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }, bytes),
      );
    } catch {
      return undefined;
    }
  },
};
