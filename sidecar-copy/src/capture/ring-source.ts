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

/** Captures with native's ring (AF_PACKET, TPACKET_V3). The filter can be replaced while it runs. */
export class RingSource implements PacketSource {
  readonly name: string;
  private readonly options: RingSourceOptions;
  private ring: PacketRing;
  /** The ring of the filter before; still read until what it had captured is through. */
  private retiring: PacketRing | undefined;
  private retireTimer: NodeJS.Timeout | undefined;
  /** Where the current block is. */
  private current: PacketRing;
  private readonly before = { packets: 0, drops: 0, freezes: 0 };
  private onReadable: (() => void) | undefined;

  /** @throws NativeError (permission, interface, memory), FilterError: nothing is left open then. */
  constructor(options: RingSourceOptions) {
    this.options = options;
    this.ring = this.open(options.filter);
    this.current = this.ring;
    this.name = this.ring.name;
  }

  get bytes(): Uint8Array {
    return this.current.bytes;
  }

  get entries(): Uint32Array {
    return this.current.entries;
  }

  get count(): number {
    return this.current.count;
  }

  next(): boolean {
    if (this.retiring?.next() === true) {
      this.current = this.retiring;
      return true;
    }
    this.current = this.ring;
    return this.ring.next();
  }

  release(): void {
    this.current.release();
  }

  start(onReadable: () => void): void {
    this.onReadable = onReadable;
    this.ring.start(onReadable);
  }

  stop(): void {
    this.onReadable = undefined;
    this.finishRetiring();
    this.ring.stop();
  }

  /** For a moment the rings of both filters capture. @throws as the constructor. */
  setFilter(filter: string): void {
    const fresh = this.open(filter);
    this.finishRetiring();
    const old = this.ring;
    this.ring = fresh;
    if (this.onReadable === undefined) {
      this.retire(old);
      return;
    }
    this.retiring = old;
    this.retireTimer = setTimeout(() => this.finishRetiring(), 4 * RETIRE_MS);
    fresh.start(this.onReadable);
  }

  statistics(): CaptureStatistics {
    const sum = { ...this.before };
    for (const ring of [this.ring, this.retiring]) addStatistics(sum, ring);
    return { ...sum, interfaceState: this.ring.statistics().interfaceState };
  }

  close(): void {
    this.stop();
    this.ring.close();
  }

  private open(filter: string): PacketRing {
    const { interfaceName, bufferBytes, netnsPath } = this.options;
    const blockCount = Math.max(Math.floor(bufferBytes / BLOCK_BYTES), BLOCK_COUNT_MIN);
    return new PacketRing({
      interfaceName,
      filter,
      blockBytes: BLOCK_BYTES,
      blockCount,
      retireMs: RETIRE_MS,
      netnsPath,
    });
  }

  private finishRetiring(): void {
    clearTimeout(this.retireTimer);
    if (this.retiring === undefined) return;
    this.onReadable?.();
    const old = this.retiring;
    this.retiring = undefined;
    this.retire(old);
  }

  private retire(old: PacketRing): void {
    old.stop();
    addStatistics(this.before, old);
    old.close();
  }
}

function addStatistics(sum: { packets: number; drops: number; freezes: number }, ring: PacketRing | undefined): void {
  if (ring === undefined) return;
  const { packets, drops, freezes } = ring.statistics();
  sum.packets += packets;
  sum.drops += drops;
  sum.freezes += freezes;
}
