/**
 * TCP sequence numbers (RFC 9293 3.4): a space of 2^32 that wraps.
 *
 * A `Seq` is kept as a *signed* 32-bit integer, because V8 holds those unboxed in object fields; the bit pattern is the
 * one on the wire. Compare and subtract only through these functions: `a < b` on two `Seq` is a bug.
 */
declare const seqBrand: unique symbol;
export type Seq = number & { readonly [seqBrand]: 'Seq' };

export const SEQ_ZERO = 0 as Seq;

/** The sequence number with the bit pattern of `value` (any integer, taken modulo 2^32). */
export function seq(value: number): Seq {
  return (value | 0) as Seq;
}

/** `a` advanced by `bytes`, modulo 2^32. */
export function add(a: Seq, bytes: number): Seq {
  return ((a + bytes) | 0) as Seq;
}

/** The signed distance from `from` to `to`: positive when `to` is later. Defined for distances below 2^31. */
export function sizeBetween(from: Seq, to: Seq): number {
  return (to - from) | 0;
}

export function lessThan(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) < 0;
}

export function lessOrEqual(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) <= 0;
}

export function max(a: Seq, b: Seq): Seq {
  return lessThan(a, b) ? b : a;
}

/** Whether `a` lies in [start, start + size). */
export function inWindow(a: Seq, start: Seq, size: number): boolean {
  return (a - start) >>> 0 < size;
}
