import { ALL_PORTS, PACKET_ENTRY_FIELDS, type PacketBatch, type PortShare } from '@trafficcopy/core';
import { addon, callNative, type NativePacketRing } from './addon.js';
import { NativeError } from './native-error.js';
import { boundedOption } from './option-bounds.js';

export interface PacketRingOptions {
  /** '' captures on all interfaces of the namespace. */
  readonly interfaceName: string;
  /** libpcap expression on packets that start at their IP header (DLT_RAW); '' takes every IP packet. */
  readonly filter: string;
  /** Octets of a block, a multiple of 4096. A packet never spans blocks: 128 KiB and more hold every super-packet. */
  readonly blockBytes: number;
  /**
   * Blocks; the ring has blockBytes * blockCount octets, at most 1 GiB. A block is used up when it is handed over, however
   * little is in it: a reader that stalls for longer than blockCount * retireMs loses packets even of light traffic.
   */
  readonly blockCount: number;
  /** A block that is not full is handed over after so long, ms. */
  readonly retireMs: number;
  /** Capture in this namespace (a file such as /proc/<pid>/ns/net) instead of the thread's own. */
  readonly netnsPath?: string | undefined;
  /** Take the packets only whose source port is in this share: other rings take the rest. */
  readonly share?: PortShare | undefined;
  /** Take what leaves the host, too; over the loopback each packet comes twice then. Default: false. */
  readonly seesOutgoing?: boolean | undefined;
  /**
   * Take each packet once, on all interfaces: not at these, whose packets come again at another one (ports of a bond or bridge), and
   * none with a VLAN tag, which comes again without it, or for another hardware address, which comes again at the macvlan device that has
   * it. BESIDES_MAX at most. Default: whatever comes, as often as it does.
   */
  readonly besides?: Interfaces | undefined;
}

/** Interface indices. */
export type Interfaces = readonly number[];

/** The program of a filter has room for as many. */
export const BESIDES_MAX = 256;

export interface PacketRingStatistics {
  /** Packets that passed the filter, dropped ones included. */
  packets: number;
  /** Packets that found the ring full. */
  drops: number;
  /** How often the ring ran full. */
  freezes: number;
  /** Blocks whose headers made no sense: never, unless something wrote into `bytes`. */
  malformed: number;
  /** A ring whose interface went down goes on when it is up again; a gone one is looked for by its name. */
  interfaceState: 'up' | 'down' | 'gone';
}

/** No packet takes less of a block: the kernel's record header, its padding, and 20 octets of IP. */
const RECORD_BYTES_MIN = 112;
const PAGE_BYTES = 4096;
const RING_BYTES_MAX = 2 ** 30;
const WORKERS_MAX = 65_536;
const INTERFACE_STATES = ['up', 'down', 'gone'] as const;

/**
 * A capture ring shared with the kernel (AF_PACKET, TPACKET_V3): packets that arrive at the interface, and with `seesOutgoing` those
 * that leave it, each starting at its IP header. Nothing is copied: `bytes` is the ring itself.
 *
 * The packets of a block are current from `next() === true` until `release()`, `next()` or `close()`.
 */
export class PacketRing implements PacketBatch {
  /** The whole ring. Empty after close(). Read only: it holds the kernel's own headers too. */
  readonly bytes: Uint8Array;
  readonly entries: Uint32Array;
  /** For logs: the interface, or `any`. */
  readonly name: string;
  readonly #native: NativePacketRing;
  readonly #figures = new Float64Array(5);
  #count = 0;
  #isClosed = false;

  /** @throws NativeError (permission, interface, namespace, memory, option), FilterError. */
  constructor(options: PacketRingOptions) {
    const blockBytes = boundedOption('PacketRing', 'blockBytes', options.blockBytes, PAGE_BYTES, RING_BYTES_MAX);
    if (blockBytes % PAGE_BYTES !== 0) {
      throw new NativeError(
        'ERR_NATIVE_OPTION',
        `PacketRing: blockBytes is ${blockBytes}, expected a multiple of ${PAGE_BYTES}`,
      );
    }
    const blockCountMax = Math.floor(RING_BYTES_MAX / blockBytes);
    const blockCount = boundedOption('PacketRing', 'blockCount', options.blockCount, 1, blockCountMax);
    const retireMs = boundedOption('PacketRing', 'retireMs', options.retireMs, 1, 10_000);
    const share = options.share ?? ALL_PORTS;
    const workers = boundedOption('PacketRing', 'share.workers', share.workers, 1, WORKERS_MAX);
    const worker = boundedOption('PacketRing', 'share.worker', share.worker, 0, workers - 1);
    this.name = options.interfaceName === '' ? 'any' : options.interfaceName;
    const where = options.netnsPath === undefined ? '' : ` in ${options.netnsPath}`;
    this.#native = callNative(`open a capture ring on ${this.name}${where}`, () => {
      const { PacketRing: Native } = addon();
      const { interfaceName, filter, netnsPath } = options;
      const sees = options.seesOutgoing === true ? 1 : 0;
      const at = netnsPath ?? '';
      const once = options.besides === undefined ? 0 : 1;
      const besides = indices(options.besides);
      return new Native(
        interfaceName,
        filter,
        blockBytes,
        blockCount,
        retireMs,
        worker,
        workers,
        at,
        sees,
        once,
        besides,
      );
    });
    this.bytes = new Uint8Array(this.#native.memory());
    this.entries = new Uint32Array(Math.ceil(blockBytes / RECORD_BYTES_MIN) * PACKET_ENTRY_FIELDS);
  }

  /** Packets of the current block; 0 when there is none. */
  get count(): number {
    return this.#count;
  }

  /** Makes the next filled block current and fills `entries`; false when none is ready. A current one is released first. */
  next(): boolean {
    if (this.#isClosed) return false;
    this.#count = this.#native.next(this.entries);
    return this.#count > 0;
  }

  /** Gives the current block back to the kernel: its bytes are invalid from now on. */
  release(): void {
    if (this.#isClosed) return;
    this.#count = 0;
    this.#native.release();
  }

  /**
   * Calls `onReadable` from this thread's event loop while a filled block waits. Keeps the loop alive until stop(). What the
   * callback throws is an uncaught exception.
   */
  start(onReadable: () => void): void {
    if (this.#isClosed) throw new NativeError('ERR_NATIVE_CLOSED', `the capture ring on ${this.name} is closed`);
    callNative(`wait for packets on ${this.name}`, () => this.#native.start(onReadable));
  }

  stop(): void {
    if (!this.#isClosed) this.#native.stop();
  }

  /**
   * Goes on with another filter: the kernel changes it between two packets, so nothing comes twice or gets lost. `besides` counts where
   * the ring was opened with some.
   *
   * @throws FilterError; the old filter stays then.
   */
  setFilter(filter: string, besides?: Interfaces): void {
    if (this.#isClosed) throw new NativeError('ERR_NATIVE_CLOSED', `the capture ring on ${this.name} is closed`);
    callNative(`change the filter on ${this.name}`, () => this.#native.setFilter(filter, indices(besides)));
  }

  /** Cumulative since the ring was opened; after close() as they were then. */
  statistics(): PacketRingStatistics {
    if (!this.#isClosed) this.#native.statistics(this.#figures);
    const [packets, drops, freezes, malformed, state] = this.#figures as unknown as [
      number,
      number,
      number,
      number,
      number,
    ];
    return { packets, drops, freezes, malformed, interfaceState: INTERFACE_STATES[state] ?? 'gone' };
  }

  /** Unmaps the ring and closes its socket. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#native.statistics(this.#figures);
    this.#isClosed = true;
    this.#count = 0;
    this.#native.close();
  }
}

function indices(interfaces: Interfaces = []): Uint32Array {
  return Uint32Array.from(interfaces.slice(0, BESIDES_MAX));
}
