/** Integers of the MySQL protocol: little-endian. Callers have checked the bounds. */
export function readUint24(bytes: Uint8Array, offset: number): number {
  return bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16);
}

export function readUint32(bytes: Uint8Array, offset: number): number {
  return (readUint24(bytes, offset) | (bytes[offset + 3]! << 24)) >>> 0;
}

export function writeUint24(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value;
  bytes[offset + 1] = value >>> 8;
  bytes[offset + 2] = value >>> 16;
}

export function writeUint32(bytes: Uint8Array, offset: number, value: number): void {
  writeUint24(bytes, offset, value);
  bytes[offset + 3] = value >>> 24;
}
