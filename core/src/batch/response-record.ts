/**
 * One response header on its way from the target's kernel to the copy: the record of a HEADERS frame, which is also what
 * the engine ingests. Big-endian, RESPONSE_RECORD_BYTES octets.
 *
 * Where the copy asked for the first octets of the payload, they stand behind it: how many as u16, u16 0, the octets, and up to 3
 * octets of 0, so that every record begins at a multiple of 4. They may be fewer than were asked for and than the payload has.
 */
import { readU16 } from '../wire/bytes.js';

export const RESPONSE_RECORD_BYTES = 32;
/** u32: the session that the flow was opened with. */
export const RESPONSE_SESSION_ID = 0;
/** u32 */
export const RESPONSE_SEQ = 4;
/** u32 */
export const RESPONSE_ACK = 8;
/** u8: TCP flags. */
export const RESPONSE_FLAGS = 12;
/** u8: which options the segment had; RESPONSE_HAS_*. */
export const RESPONSE_OPTIONS = 13;
/** u16: the window field, not scaled. */
export const RESPONSE_WINDOW = 14;
/** u32: payload octets on the wire (super-packets: all of them). */
export const RESPONSE_PAYLOAD_BYTES = 16;
/** u32 TSval, u32 TSecr; 0 without RESPONSE_HAS_TIMESTAMPS. */
export const RESPONSE_TS_VAL = 20;
export const RESPONSE_TS_ECR = 24;
/** u16: MSS option of a segment with SYN; 0 when absent. */
export const RESPONSE_MSS = 28;
/** u8: window scale of a segment with SYN; valid with RESPONSE_HAS_WINDOW_SCALE. */
export const RESPONSE_WINDOW_SCALE = 30;
/**
 * u24, in place of these two in a segment without SYN: the time from the injection of the last new octets of the client to the moment
 * when this segment was taken out of the target's kernel, in units of RESPONSE_ELAPSED_UNIT_US. 0: not known.
 */
export const RESPONSE_ELAPSED = 28;
export const RESPONSE_ELAPSED_UNIT_US = 10;
/** u8: RESPONSE_EVENT_*; anything but 0 is no segment but word from intercept about the flow. */
export const RESPONSE_EVENT = 31;

export const RESPONSE_HAS_TIMESTAMPS = 1;
export const RESPONSE_HAS_WINDOW_SCALE = 2;
export const RESPONSE_HAS_SACK_PERMITTED = 4;

export const RESPONSE_EVENT_SEGMENT = 0;
/** The flow's addresses and ports are in use by another copy: choose another port. */
export const RESPONSE_EVENT_FLOW_TAKEN = 1;
/** Intercept does not serve that address and port: the session cannot be delivered. */
export const RESPONSE_EVENT_TARGET_UNKNOWN = 2;
/** Intercept's flow table is full. */
export const RESPONSE_EVENT_FLOW_TABLE_FULL = 3;
/** What became of datagrams of this connection, since the last such record: four numbers, session id 0. */
export const RESPONSE_EVENT_DATAGRAMS = 4;

/** u32, in a record of RESPONSE_EVENT_DATAGRAMS: the target's kernel has them. */
export const DATAGRAMS_INJECTED = 4;
/** u32: intercept does not serve their destination, or does not take their source. */
export const DATAGRAMS_REFUSED = 8;
/** u32: the kernel did not take them. */
export const DATAGRAMS_FAILED = 16;
/** u32: of those that were injected, answered by ICMP «port unreachable»: nobody listens there. */
export const DATAGRAMS_UNREACHABLE = 20;

/** Where the number of kept octets stands in a record with payload, and where they begin. */
const KEPT_BYTES = RESPONSE_RECORD_BYTES;
export const RESPONSE_KEPT = RESPONSE_RECORD_BYTES + 4;
/** As many octets of a payload can be kept: what u16 holds. */
export const KEPT_BYTES_MAX = 65_535;
/** In the place of a stride: each record says how long it is. */
export const STRIDE_VARIES = 0;

/** A batch of such records, each `strideBytes` long (RESPONSE_RECORD_BYTES), or STRIDE_VARIES: records with payload. */
export interface ResponseBatch {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly strideBytes: number;
  readonly count: number;
}

/** Octets of the record at `at`, which is whole. */
export function responseRecordBytes({ bytes, strideBytes }: ResponseBatch, at: number): number {
  return strideBytes === STRIDE_VARIES ? RESPONSE_KEPT + ((readU16(bytes, at + KEPT_BYTES) + 3) & ~3) : strideBytes;
}

/** Octets of the payload's start that the record at `at` carries, at RESPONSE_KEPT. */
export function keptBytesOf({ bytes, strideBytes }: ResponseBatch, at: number): number {
  return strideBytes === STRIDE_VARIES ? readU16(bytes, at + KEPT_BYTES) : 0;
}
