import { PACKET_ENTRY_FIELDS, type PacketBatch } from '@trafficcopy/core';
import { addon, callNative, type NativeResponseQueue } from './addon.js';
import { NativeError } from './native-error.js';
import { boundedOption } from './option-bounds.js';

export interface ResponseQueueOptions {
  /** 0 to 65535. */
  readonly queueNumber: number;
  /** Octets of each packet that come along, from its IP header on; default 128: headers with every option. */
  readonly copyBytes?: number | undefined;
  /** Packets that wait in the kernel; beyond it new ones are dropped (queueDropped). Default 16384. */
  readonly queueLengthMax?: number | undefined;
  /** Netlink receive buffer; beyond it packets are dropped (userDropped). Default 16 MiB. */
  readonly receiveBufferBytes?: number | undefined;
  /** The queue of this namespace (a file such as /proc/<pid>/ns/net) instead of the thread's own. */
  readonly netnsPath?: string | undefined;
}

export interface ResponseQueueStatistics {
  /** Packets read and dropped here. */
  packets: number;
  /** Packets that the kernel dropped because the queue was full (queueLengthMax). */
  queueDropped: number;
  /** Packets that the kernel dropped because the netlink buffer was full (receiveBufferBytes). */
  userDropped: number;
  /** Netlink messages that could not be parsed. */
  malformed: number;
  /** Packets that wait now. */
  waiting: number;
}

/** The netlink buffer grows with what is copied of each packet, up to this, octets. */
const RECEIVE_BUFFER_BYTES_MAX = 64 * 1024 * 1024;
/** Packets of one read. */
const BATCH_PACKETS = 128;
/** Netlink and attribute headers around the copied octets: below 256, doubled. */
const SLOT_OVERHEAD_BYTES = 512;
const CACHE_LINE_BYTES = 64;

/**
 * Takes the packets of an NFQUEUE out of the kernel and drops them there: nothing that a rule sends here goes on. Super-
 * packets come as one (NFQA_CFG_F_GSO); `wireBytes` of an entry is the whole length, `capturedBytes` at most copyBytes.
 */
export class ResponseQueue implements PacketBatch {
  bytes: Uint8Array;
  readonly entries = new Uint32Array(BATCH_PACKETS * PACKET_ENTRY_FIELDS);
  readonly queueNumber: number;
  readonly #native: NativeResponseQueue;
  readonly #figures = new Float64Array(5);
  readonly #queueLengthMax: number;
  readonly #receiveBufferBytes: number;
  readonly #copyBytesAtStart: number;
  #count = 0;
  #isClosed = false;

  /** @throws NativeError (permission, queue busy, namespace, unsupported, option). */
  constructor(options: ResponseQueueOptions) {
    const owner = 'ResponseQueue';
    this.queueNumber = boundedOption(owner, 'queueNumber', options.queueNumber, 0, 0xffff);
    const copyBytes = boundedOption(owner, 'copyBytes', options.copyBytes ?? 128, 20, 0xffff);
    const queueLengthMax = boundedOption(owner, 'queueLengthMax', options.queueLengthMax ?? 16_384, 1, 2 ** 20);
    const bufferBytes = options.receiveBufferBytes ?? 16 * 1024 * 1024;
    const receiveBufferBytes = boundedOption(owner, 'receiveBufferBytes', bufferBytes, 4096, 2 ** 30);
    const slotBytes = slotBytesFor(copyBytes);
    this.#queueLengthMax = queueLengthMax;
    this.#receiveBufferBytes = receiveBufferBytes;
    this.#copyBytesAtStart = copyBytes;
    const where = options.netnsPath === undefined ? '' : ` in ${options.netnsPath}`;
    this.#native = callNative(`read NFQUEUE ${this.queueNumber}${where}`, () => {
      const { ResponseQueue: Native } = addon();
      const { queueNumber } = this;
      const { netnsPath = '' } = options;
      return new Native(
        queueNumber,
        copyBytes,
        queueLengthMax,
        receiveBufferBytes,
        slotBytes,
        BATCH_PACKETS,
        netnsPath,
      );
    });
    this.bytes = new Uint8Array(slotBytes * BATCH_PACKETS);
  }

  /** Packets of the last read. */
  get count(): number {
    return this.#count;
  }

  /**
   * Reads what waits (one bounded batch), drops those packets in the kernel and fills `entries`; the batch is valid until the
   * next read. False when nothing waits; then return to the event loop.
   */
  read(): boolean {
    if (this.#isClosed) return false;
    this.#count = this.#native.read(this.bytes, this.entries);
    return this.#count > 0;
  }

  /**
   * From now on so many octets of each packet come along; those that wait already come as they are. `bytes` is another array then, and
   * what the last read filled is not valid any more. The netlink buffer grows with it, within a bound.
   *
   * @throws NativeError
   */
  setCopyBytes(copyBytes: number): void {
    boundedOption('ResponseQueue', 'copyBytes', copyBytes, 20, 0xffff);
    if (this.#isClosed) return;
    // What waits may have more than what will come: slots only grow.
    const slotBytes = Math.max(slotBytesFor(copyBytes), this.bytes.length / BATCH_PACKETS);
    const more = Math.max(0, copyBytes - this.#copyBytesAtStart) * this.#queueLengthMax;
    const most = Math.max(this.#receiveBufferBytes, RECEIVE_BUFFER_BYTES_MAX);
    const receiveBufferBytes = Math.min(this.#receiveBufferBytes + more, most);
    callNative(`set how much of a packet NFQUEUE ${this.queueNumber} copies`, () =>
      this.#native.setCopyBytes(copyBytes, receiveBufferBytes, slotBytes),
    );
    this.#count = 0;
    if (slotBytes * BATCH_PACKETS > this.bytes.length) this.bytes = new Uint8Array(slotBytes * BATCH_PACKETS);
  }

  /** Calls `onReadable` from this thread's event loop while packets wait. Keeps the loop alive until stop(). */
  start(onReadable: () => void): void {
    if (this.#isClosed) throw new NativeError('ERR_NATIVE_CLOSED', `NFQUEUE ${this.queueNumber} is closed`);
    callNative(`wait for packets of NFQUEUE ${this.queueNumber}`, () => this.#native.start(onReadable));
  }

  stop(): void {
    if (!this.#isClosed) this.#native.stop();
  }

  /** Cumulative, but `waiting`; after close() as they were then. */
  statistics(): ResponseQueueStatistics {
    if (!this.#isClosed) this.#native.statistics(this.#figures);
    const [packets, queueDropped, userDropped, malformed, waiting] = this.#figures as unknown as [
      number,
      number,
      number,
      number,
      number,
    ];
    return { packets, queueDropped, userDropped, malformed, waiting };
  }

  /** Unbinds the queue: without another reader the rule drops what comes (no --queue-bypass). Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#native.statistics(this.#figures);
    this.#isClosed = true;
    this.#count = 0;
    this.#native.close();
  }
}

function slotBytesFor(copyBytes: number): number {
  return Math.ceil((copyBytes + SLOT_OVERHEAD_BYTES) / CACHE_LINE_BYTES) * CACHE_LINE_BYTES;
}
