import { readI32 } from '../wire/bytes.js';

/** Mixes one word into a hash (the round and the finish of MurmurHash3's 32-bit variant, public domain by A. Appleby). */
export function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  k = Math.imul(k, 0x1b873593);
  let h = hash ^ k;
  h = (h << 13) | (h >>> 19);
  return (Math.imul(h, 5) + 0xe6546b64) | 0;
}

/** Spreads a mixed hash over all 32 bits; unsigned. */
export function finish(hash: number): number {
  let h = hash;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h >>> 0;
}

/** A uniform, seeded 32-bit hash of an address (4 or 16 octets at `offset`) and one more word; unsigned. */
export function flowHash(seed: number, bytes: Uint8Array, offset: number, addressBytes: number, word: number): number {
  let h = mix(seed | 0, word);
  for (let at = 0; at < addressBytes; at += 4) h = mix(h, readI32(bytes, offset + at));
  return finish(h);
}
