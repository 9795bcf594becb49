import type { PacketBatch } from '@trafficcopy/core';

/** The raw sockets of one namespace: IPv4 and, where the kernel has it, IPv6. */
export interface PacketSender {
  /**
   * intercept --copied packets--> target. Checksums are filled in in place. Returns how many packets the kernel took; never
   * throws for what is in the batch.
   */
  send(batch: PacketBatch): number;
  /** Failures by errno name, cumulative. */
  errors(): Record<string, number>;
  close(): void;
}
