import type { PacketBatch } from '@trafficcopy/core';
import { addon, callNative, type NativeRawSender } from './addon.js';
import { NativeError } from './native-error.js';
import { boundedOption } from './option-bounds.js';

export interface RawSenderOptions {
  readonly family: 4 | 6;
  /** SO_MARK of every packet, 32 bits; 0 or none: no mark. */
  readonly mark?: number | undefined;
  /** Send from this namespace (a file such as /proc/<pid>/ns/net) instead of the thread's own. */
  readonly netnsPath?: string | undefined;
  /** Default 8 MiB, limited by net.core.wmem_max without CAP_NET_ADMIN. */
  readonly sendBufferBytes?: number | undefined;
  /** TCP packets with more IP octets than this are cut into several, 68 to 65535 (the default); others fail as EMSGSIZE. */
  readonly segmentBytesMax?: number | undefined;
}

export interface RawSenderStatistics {
  /** Packets of batches that were handed to the kernel whole. */
  sent: number;
  /** Packets of batches that were skipped, or of which a part failed. */
  failed: number;
  /** IP packets handed to the kernel: as `sent`, with every segment counted. */
  segments: number;
  /** Of the last failure; 0 when there was none. */
  lastErrno: number;
  /** Failures by errno name. EBADMSG: not an IP packet of the length that its entry says. */
  errors: Record<string, number>;
}

/** The same in native/src/raw_sender.h. */
const TOO_BIG_MAX = 64;

/**
 * Sends crafted IP packets (IPPROTO_RAW), many in one system call. Fills in lengths and the checksums of
 * IPv4, TCP and UDP in place, in the caller's bytes. Never blocks: what the kernel does not take is skipped and counted.
 */
export class RawSender {
  readonly #native: NativeRawSender;
  readonly #figures = new Float64Array(4);
  readonly #pairs = new Float64Array(2 * TOO_BIG_MAX);
  #isClosed = false;

  /** @throws NativeError (permission, namespace, family unsupported, option). */
  constructor(options: RawSenderOptions) {
    const { family } = options;
    if (family !== 4 && family !== 6) {
      throw new NativeError('ERR_NATIVE_OPTION', `RawSender: family is ${family}, expected 4 or 6`);
    }
    const mark = boundedOption('RawSender', 'mark', options.mark ?? 0, 0, 0xffff_ffff);
    const sendBufferBytes = options.sendBufferBytes ?? 8 * 1024 * 1024;
    const bufferBytes = boundedOption('RawSender', 'sendBufferBytes', sendBufferBytes, 4096, 2 ** 30);
    const segmentBytes = boundedOption('RawSender', 'segmentBytesMax', options.segmentBytesMax ?? 65_535, 68, 65_535);
    const where = options.netnsPath === undefined ? '' : ` in ${options.netnsPath}`;
    this.#native = callNative(`open a raw IPv${family} socket${where}`, () => {
      const { RawSender: Native } = addon();
      return new Native(family, mark, bufferBytes, segmentBytes, options.netnsPath ?? '');
    });
  }

  /**
   * Hands the batch to the kernel and returns how many of its packets it took whole. Packets of the other IP family are
   * skipped and not counted. Never throws for what is in the batch; 0 after close().
   */
  send(batch: PacketBatch): number {
    return this.#isClosed ? 0 : this.#native.send(batch.bytes, batch.entries, batch.count);
  }

  /**
   * Of the last {@link send}: for each packet that was larger than what its route carries, its index in the batch and that size in
   * octets (0: not known). Not more than 64 of them.
   */
  tooBig(): Float64Array {
    return this.#pairs.subarray(0, this.#isClosed ? 0 : 2 * this.#native.tooBig(this.#pairs));
  }

  /** Cumulative. */
  statistics(): RawSenderStatistics {
    this.#native.statistics(this.#figures);
    const [sent, failed, segments, lastErrno] = this.#figures as unknown as [number, number, number, number];
    return { sent, failed, segments, lastErrno, errors: this.#native.errors() };
  }

  /** Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#native.close();
  }
}
