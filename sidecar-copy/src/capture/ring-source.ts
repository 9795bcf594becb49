import type { PortShare } from '@trafficcopy/core';
import { PacketRing } from '@trafficcopy/native';
import type { CaptureStatistics, PacketSource } from './packet-source.js';

export interface RingSourceOptions {
  /** '' captures on all interfaces. */
  readonly interfaceName: string;
  readonly filter: string;
  /** Memory of the ring, octets; whole blocks of it are used. */
  readonly bufferBytes: number;
  /** Another network namespace than the process's own. */
  readonly netnsPath?: string | undefined;
  /** Capture only what clients send from these ports. */
  readonly share?: PortShare | undefined;
  /** What this host sends, too. Default: false. */
  readonly seesOutgoing?: boolean | undefined;
  /** Each packet once, and not at these interfaces; see PacketRingOptions. */
  readonly besides?: readonly number[] | undefined;
}

/**
 * A block: the unit that the kernel hands over. Large enough for several super-packets (64 KiB), small enough that under load
 * blocks fill before they are retired and that the ring has many.
 */
const BLOCK_BYTES = 256 * 1024;
const BLOCK_COUNT_MIN = 4;
/**
 * A block that is not full is handed over after so long: it bounds what capturing adds to the delay of a copied request, and
 * wake-ups per second.
 */
const RETIRE_MS = 8;

/** Captures with native's ring (AF_PACKET, TPACKET_V3). */
export class RingSource implements PacketSource {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly entries: Uint32Array;
  private readonly ring: PacketRing;

  /** @throws NativeError (permission, interface, memory), FilterError. */
  constructor(options: RingSourceOptions) {
    const { interfaceName, filter, bufferBytes, netnsPath, share, seesOutgoing, besides } = options;
    const blockCount = Math.max(Math.floor(bufferBytes / BLOCK_BYTES), BLOCK_COUNT_MIN);
    this.ring = new PacketRing({
      interfaceName,
      filter,
      blockBytes: BLOCK_BYTES,
      blockCount,
      retireMs: RETIRE_MS,
      netnsPath,
      share,
      seesOutgoing,
      besides,
    });
    this.name = this.ring.name;
    this.bytes = this.ring.bytes;
    this.entries = this.ring.entries;
  }

  get count(): number {
    return this.ring.count;
  }

  next(): boolean {
    return this.ring.next();
  }

  release(): void {
    this.ring.release();
  }

  start(onReadable: () => void): void {
    this.ring.start(onReadable);
  }

  stop(): void {
    this.ring.stop();
  }

  setFilter(filter: string, besides?: readonly number[]): void {
    this.ring.setFilter(filter, besides);
  }

  statistics(): CaptureStatistics {
    return this.ring.statistics();
  }

  close(): void {
    this.ring.close();
  }
}
