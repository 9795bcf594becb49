/** Big-endian fields in place. Callers have checked the bounds; a read past the end gives 0 bits, never an exception. */
export function readU16(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 8) | bytes[offset + 1]!;
}

/** Signed: the bit pattern of the 32 bits at `offset`, as {@link Seq} and IPv4 addresses are kept. */
export function readI32(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!;
}

export function readU32(bytes: Uint8Array, offset: number): number {
  return readI32(bytes, offset) >>> 0;
}

export function writeU16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 8;
  bytes[offset + 1] = value;
}

export function writeU32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = value >>> 16;
  bytes[offset + 2] = value >>> 8;
  bytes[offset + 3] = value;
}

/** Below this a loop copies faster than `set` of a view. */
const LOOP_BYTES_MAX = 32;

export function copyBytes(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number, length: number): void {
  if (length <= LOOP_BYTES_MAX) {
    for (let index = 0; index < length; index += 1) to[toAt + index] = from[fromAt + index]!;
  } else {
    to.set(from.subarray(fromAt, fromAt + length), toAt);
  }
}
