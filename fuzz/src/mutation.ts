import type { Random } from './random.js';

/** Numbers at which lengths and counters break. */
const EDGES = [0, 1, 2, 4, 7, 8, 16, 20, 31, 32, 40, 60, 64, 127, 128, 255, 256, 1460, 1500, 0x7fff, 0x8000, 0xffff];
const EDGES_WIDE = [...EDGES, 0x1_0000, 0x0010_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];

/** Another input made of `input` by one to eight changes; `other` lends pieces. At most `bytesMax` octets, in memory of its own. */
export function mutated(
  random: Random,
  input: Uint8Array,
  other: Uint8Array,
  words: readonly Uint8Array[],
  bytesMax: number,
): Uint8Array {
  let bytes: Uint8Array = input.slice(0, bytesMax);
  for (let changes = 1 << random.below(4); changes > 0; changes -= 1) bytes = changed(random, bytes, other, words);
  return bytes.length > bytesMax ? bytes.slice(0, bytesMax) : bytes;
}

function changed(random: Random, bytes: Uint8Array, other: Uint8Array, words: readonly Uint8Array[]): Uint8Array {
  const at = random.below(bytes.length + 1);
  const room = bytes.length - at;
  switch (random.below(10)) {
    case 0:
      if (room > 0) bytes[at]! ^= 1 << random.below(8);
      return bytes;
    case 1:
      if (room > 0) bytes[at] = random.bits();
      return bytes;
    case 2:
      if (room > 0) bytes[at] = bytes[at]! + random.pick([1, -1, 16, -16, 4, -4]);
      return bytes;
    case 3:
      return written(bytes, at, random.pick(EDGES), 2);
    case 4:
      return written(bytes, at, random.pick(EDGES_WIDE), 4);
    case 5:
      return replaced(bytes, at, random.below(Math.min(room, 64) + 1), NOTHING);
    case 6:
      return replaced(bytes, at, 0, piece(random, bytes));
    case 7:
      return replaced(bytes, at, random.below(Math.min(room, 64) + 1), piece(random, other));
    case 8:
      if (words.length === 0) return replaced(bytes, at, 0, random.bytes(1 + random.below(8)));
      return replaced(bytes, at, random.chance(0.5) ? 0 : random.below(Math.min(room, 16) + 1), random.pick(words));
    default:
      return random.chance(0.3) ? bytes.slice(0, at) : bytes;
  }
}

const NOTHING = new Uint8Array(0);

function piece(random: Random, from: Uint8Array): Uint8Array {
  const start = random.below(from.length + 1);
  return from.subarray(start, start + 1 + random.below(64));
}

/** Big-endian, as far as there is room. */
function written(bytes: Uint8Array, at: number, value: number, size: number): Uint8Array {
  for (let octet = 0; octet < size && at + octet < bytes.length; octet += 1) {
    bytes[at + octet] = value >>> (8 * (size - 1 - octet));
  }
  return bytes;
}

function replaced(bytes: Uint8Array, at: number, length: number, by: Uint8Array): Uint8Array {
  const result = new Uint8Array(bytes.length - length + by.length);
  result.set(bytes.subarray(0, at), 0);
  result.set(by, at);
  result.set(bytes.subarray(at + length), at + by.length);
  return result;
}
