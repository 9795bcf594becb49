import { PACKET_ENTRY_FIELDS, type PacketBatch } from '@trafficcopy/core';
import { addon, callNative, type NativeCaptureParser } from './addon.js';

export interface CaptureParserState {
  /** libpcap's number (DLT_…); undefined until the file's header was read. */
  readonly linkType: number | undefined;
  /** Octets of each frame that the capture was to keep. */
  readonly snapBytes: number;
  /** Frames that were read from the file so far; those that wait in batches included. */
  readonly frames: number;
  /** Of them, frames that are larger than a batch and left out. */
  readonly oversized: number;
  /** Octets of the file that were read of those that were fed. */
  readonly consumedBytes: number;
  /** Of those, octets up to the end of the batch that is current or was last. */
  readonly takenBytes: number;
  /** When the latest of the frames was captured, microseconds since 1970; 0 before the first. */
  readonly lastUs: number;
  /** Whether there is room for more octets. */
  readonly wantsMore: boolean;
  readonly hasBatch: boolean;
  /** The file is read to its end, or given up (`problem`), and no batch is left. */
  readonly hasEnded: boolean;
}

/** libpcap cuts a packet at 256 KiB, so each fits. */
const BATCH_BYTES = 1024 * 1024;
const BATCH_FRAMES = 8192;

/**
 * Reads a capture file (pcap with stamps of micro- or nanoseconds, pcapng with interfaces of one link type) that is fed in pieces,
 * with libpcap on a thread of its own. Nothing here waits; memory is bounded by one MiB of pieces and four batches.
 *
 * The parser is itself the batch that `next()` made current. Its frames start with their link header.
 */
export class CaptureParser implements PacketBatch {
  readonly bytes = new Uint8Array(BATCH_BYTES);
  readonly entries = new Uint32Array(BATCH_FRAMES * PACKET_ENTRY_FIELDS);
  /** When each frame was captured: microseconds since 1970, with a fraction. */
  readonly timesUs = new Float64Array(BATCH_FRAMES);
  readonly #native: NativeCaptureParser;
  readonly #figures = new Float64Array(10);
  #count = 0;
  #isClosed = false;

  /** @throws NativeError */
  constructor() {
    this.#native = callNative('read a capture file', () => new (addon().CaptureParser)(BATCH_BYTES, BATCH_FRAMES));
    this.#figures[0] = -1;
  }

  get count(): number {
    return this.#count;
  }

  /** The next octets of the file; they are copied. Beyond `wantsMore` they are taken too: who feeds keeps the bound. */
  feed(bytes: Uint8Array): void {
    if (!this.#isClosed) this.#native.feed(bytes);
  }

  /** There are no more. */
  feedEnd(): void {
    if (!this.#isClosed) this.#native.feedEnd();
  }

  /** Makes the next batch current; false when none is ready. */
  next(): boolean {
    this.#count = this.#isClosed ? 0 : this.#native.next(this.bytes, this.entries, this.timesUs);
    return this.#count > 0;
  }

  /** Calls `onChange` from this thread's event loop when what look() tells has changed. Keeps the loop alive until stop(). */
  start(onChange: () => void): void {
    if (this.#isClosed) return;
    callNative('wait for a capture file', () =>
      this.#native.start(() => {
        // Before it is looked at: what changes meanwhile is announced again.
        this.#native.acknowledge();
        onChange();
      }),
    );
  }

  stop(): void {
    if (!this.#isClosed) this.#native.stop();
  }

  /** After close() as it was then. */
  look(): CaptureParserState {
    if (!this.#isClosed) this.#native.look(this.#figures);
    const [linkType = -1, snapBytes = 0, frames = 0, oversized = 0, consumedBytes = 0] = this.#figures;
    const [takenBytes = 0, lastUs = 0, wantsMore, hasBatch, hasEnded] = this.#figures.subarray(5);
    return {
      linkType: linkType < 0 ? undefined : linkType,
      snapBytes,
      frames,
      oversized,
      consumedBytes,
      takenBytes,
      lastUs,
      wantsMore: wantsMore === 1 && !this.#isClosed,
      hasBatch: hasBatch === 1 && !this.#isClosed,
      hasEnded: hasEnded === 1 || this.#isClosed,
    };
  }

  /** Why libpcap gave the file up; undefined when it did not. */
  get problem(): string | undefined {
    const text = this.#isClosed ? '' : this.#native.problem();
    return text === '' ? undefined : text;
  }

  /** What libpcap calls the link type: "EN10MB, Ethernet". */
  get linkTypeText(): string {
    return this.#isClosed ? '' : this.#native.linkTypeText();
  }

  /** Ends the thread. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#native.look(this.#figures);
    this.#isClosed = true;
    this.#count = 0;
    this.#native.close();
  }
}
