import type { PacketBatch } from '@trafficcopy/core';

/** Cumulative figures of a source, as its kernel side counts them. */
export interface CaptureStatistics {
  /** Packets that passed the filter, dropped ones included. */
  readonly packets: number;
  /** Packets that found the capture buffer full: they were never seen here. */
  readonly drops: number;
  /** How often the buffer ran full. */
  readonly freezes: number;
  /** Whether the interface is there; a source whose interface comes back goes on by itself. */
  readonly interfaceState: 'up' | 'down' | 'gone';
}

/**
 * Where captured packets come from. Pull based: `onReadable` says that a batch may be ready, the reader takes batches with
 * {@link next} until it says no. The source itself is the batch that is current between `next() === true` and
 * {@link release}; its memory belongs to the source and is invalid afterwards.
 *
 * Every packet starts with its IP header, and no packet that this host sends is among them (loopback: each packet once).
 */
export interface PacketSource extends PacketBatch {
  /** For logs and metrics: an interface, or `any`. */
  readonly name: string;
  /** Makes the next filled batch current; false when none is ready. */
  next(): boolean;
  /** Gives the current batch back. */
  release(): void;
  /** Calls `onReadable` on this thread's event loop whenever batches are ready. */
  start(onReadable: () => void): void;
  stop(): void;
  statistics(): CaptureStatistics;
  /**
   * Goes on with another filter (libpcap, packets that start at their IP header). What fits both filters may come twice, but
   * not get lost. `besides`: interfaces whose packets come again by another one; where the source was opened with such.
   * @throws the error of the filter or the kernel; the old filter stays then.
   */
  setFilter(filter: string, besides?: readonly number[]): void;
  /** Frees everything; the source is unusable afterwards. Idempotent. */
  close(): void;
}
