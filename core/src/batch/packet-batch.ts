/**
 * A batch of packets in one stretch of memory, the layout that native code fills and reads.
 *
 * `bytes` holds the packets, each starting with its IP header, at offsets of their own; `entries` holds
 * `PACKET_ENTRY_FIELDS` unsigned 32-bit numbers for each. The owner says how long both stay valid; a reader that keeps
 * anything copies it.
 */
export interface PacketBatch {
  readonly bytes: Uint8Array;
  readonly entries: Uint32Array;
  /** How many packets; entries beyond it are stale. */
  readonly count: number;
}

/** Numbers for each packet in `entries`; native/src/batch.h asserts the same constants. */
export const PACKET_ENTRY_FIELDS = 4;
/** Where the packet starts in `bytes`, octets. */
export const ENTRY_OFFSET = 0;
/** Octets that are present. */
export const ENTRY_CAPTURED_BYTES = 1;
/** Octets that the packet had on the wire (GRO and GSO super-packets: up to 64 KiB and more). */
export const ENTRY_WIRE_BYTES = 2;
/** Low 32 bits of the kernel's receive time in microseconds; 0 where there is none. */
export const ENTRY_TIME_US = 3;
