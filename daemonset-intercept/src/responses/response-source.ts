import type { PacketBatch } from '@trafficcopy/core';

/** Octets of a packet that come along unless somebody wants of its payload, too: headers with every option. */
export const HEADER_COPY_BYTES = 128;

/** Cumulative figures of a queue, as its kernel side counts them. */
export interface ResponseSourceStatistics {
  /** Packets read and dropped. */
  readonly packets: number;
  /** Dropped by the kernel because the queue was full (--queue-length). Their headers were lost to the copies. */
  readonly queueDropped: number;
  /** Dropped by the kernel because the netlink buffer was full. */
  readonly userDropped: number;
}

/**
 * The responses of copied connections. Whatever comes out of it has been dropped in the kernel already. Pull based: the
 * source itself is the batch that the last {@link read} filled.
 */
export interface ResponseSource extends PacketBatch {
  /** Reads what waits, one bounded batch; false when nothing does. */
  read(): boolean;
  /**
   * From the next packets on, so many octets of each come along, from its IP header on: those that wait come as they are. What the
   * last read filled is not valid any more.
   */
  setCopyBytes(copyBytes: number): void;
  /** Calls `onReadable` on this thread's event loop while packets wait. */
  start(onReadable: () => void): void;
  stop(): void;
  statistics(): ResponseSourceStatistics;
  /** Idempotent. */
  close(): void;
}
