/**
 * TCP options (RFC 9293 3.1, RFC 7323, RFC 6994), read into a reused record and written in place.
 */
import { readU16, readU32, writeU16, writeU32 } from './bytes.js';

export const OPTION_END = 0;
export const OPTION_NOP = 1;
export const OPTION_MSS = 2;
export const OPTION_WINDOW_SCALE = 3;
export const OPTION_SACK_PERMITTED = 4;
export const OPTION_TIMESTAMPS = 8;
/** Shared experimental option (RFC 6994 3): the kind, then a 16-bit ExID that says whose. */
export const OPTION_EXPERIMENT = 253;
/** Our ExID: "tc". Marks the segments of Direct delivery for the rule at the target. */
export const EXPERIMENT_ID = 0x7463;

/** RFC 7323 2.3: a larger shift is used as 14. */
const WINDOW_SCALE_MAX = 14;

/** The options of one segment. Reused: {@link parseTcpOptions} resets every field. */
export class TcpOptions {
  /** Octets; 0 when absent. */
  mss = 0;
  /** Shift count; -1 when absent. */
  windowScale = -1;
  sackPermitted = false;
  hasTimestamps = false;
  /** TSval and TSecr as unsigned 32-bit numbers; 0 when absent. */
  tsVal = 0;
  tsEcr = 0;
}

/**
 * Reads the options in [offset, end) of a TCP header. Malformed options end the parse: what stood before them counts,
 * as in the kernels whose traffic we follow.
 */
export function parseTcpOptions(bytes: Uint8Array, offset: number, end: number, out: TcpOptions): void {
  out.mss = 0;
  out.windowScale = -1;
  out.sackPermitted = false;
  out.hasTimestamps = false;
  out.tsVal = 0;
  out.tsEcr = 0;
  let at = offset;
  while (at < end) {
    const kind = bytes[at]!;
    if (kind === OPTION_END) return;
    if (kind === OPTION_NOP) {
      at += 1;
      continue;
    }
    if (at + 2 > end) return;
    const length = bytes[at + 1]!;
    if (length < 2 || at + length > end) return;
    if (kind === OPTION_TIMESTAMPS && length === 10) {
      out.hasTimestamps = true;
      out.tsVal = readU32(bytes, at + 2);
      out.tsEcr = readU32(bytes, at + 6);
    } else if (kind === OPTION_MSS && length === 4) {
      out.mss = readU16(bytes, at + 2);
    } else if (kind === OPTION_WINDOW_SCALE && length === 3) {
      out.windowScale = Math.min(bytes[at + 2]!, WINDOW_SCALE_MAX);
    } else if (kind === OPTION_SACK_PERMITTED && length === 2) {
      out.sackPermitted = true;
    }
    at += length;
  }
}

/** Writes NOP NOP TIMESTAMPS (12 octets, the layout that receivers' fast paths expect: RFC 7323 appendix A). */
export function writeTimestamps(bytes: Uint8Array, offset: number, tsVal: number, tsEcr: number): void {
  bytes[offset] = OPTION_NOP;
  bytes[offset + 1] = OPTION_NOP;
  bytes[offset + 2] = OPTION_TIMESTAMPS;
  bytes[offset + 3] = 10;
  writeU32(bytes, offset + 4, tsVal);
  writeU32(bytes, offset + 8, tsEcr);
}

/** Writes an MSS option (4 octets). */
export function writeMss(bytes: Uint8Array, offset: number, mss: number): void {
  bytes[offset] = OPTION_MSS;
  bytes[offset + 1] = 4;
  writeU16(bytes, offset + 2, mss);
}

/** Writes NOP WINDOW-SCALE (4 octets). */
export function writeWindowScale(bytes: Uint8Array, offset: number, shift: number): void {
  bytes[offset] = OPTION_NOP;
  bytes[offset + 1] = OPTION_WINDOW_SCALE;
  bytes[offset + 2] = 3;
  bytes[offset + 3] = shift;
}

/** Writes our experimental option (4 octets, RFC 6994 3.1). */
export function writeExperiment(bytes: Uint8Array, offset: number): void {
  bytes[offset] = OPTION_EXPERIMENT;
  bytes[offset + 1] = 4;
  writeU16(bytes, offset + 2, EXPERIMENT_ID);
}
