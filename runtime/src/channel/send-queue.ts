/**
 * Frames on their way into a socket: one stream of octets in chunks of fixed size, bounded.
 *
 * Every octet is copied once, into a chunk. At most one write is under way; what comes meanwhile gathers behind it and goes out
 * in the next, so the slower the peer, the larger the writes. Chunks are used again when the kernel has their octets.
 */
import type { Duplex } from 'node:stream';
import { FRAME_HEADER_BYTES, type FrameType, writeFrameHeader } from '@trafficcopy/core';

/** Octets of one chunk: four TLS records of the largest size. */
export const SEND_CHUNK_BYTES = 64 * 1024;
/**
 * Chunks of the largest write, 256 KiB. A TLS socket says that a write is done only in the next turn of the loop, and a turn of a busy
 * process takes a while: what one write cannot carry waits for that.
 */
const WRITE_CHUNKS_MAX = 4;
/** Chunks that all queues together keep for later: 2 MiB. */
const FREE_CHUNKS_MAX = 32;
/** Octets that frames of the protocol itself (PING, GOAWAY, …) may use beyond the limit, so that a full queue cannot silence them. */
const CONTROL_BYTES_MAX = 64 * 1024;

const freeChunks: Buffer[] = [];

export class SendQueue {
  readonly #socket: Duplex;
  readonly #bytesMax: number;
  readonly #onDrain: (() => void) | undefined;
  /** The first holds the octets to write next, the last takes new ones. */
  readonly #chunks: Buffer[] = [];
  /** First octet of the first chunk that is not written yet. */
  #headStart = 0;
  /** End of the octets in the last chunk. */
  #tailEnd = 0;
  /** Octets of the write under way; 0 when there is none. */
  #writingBytes = 0;
  #queuedBytes = 0;
  #isFlushScheduled = false;
  #isRefusing = false;
  #isEnding = false;
  #isDestroyed = false;
  framesSent = 0;
  bytesSent = 0;
  framesDropped = 0;
  bytesDropped = 0;
  readonly #flushLater = (): void => {
    this.#isFlushScheduled = false;
    this.flush();
  };
  readonly #onWritten = (error?: Error | null): void => {
    // After an error the socket closes, and destroy() follows.
    if (!error) this.#written();
  };

  /** @param bytesMax octets that may wait, frame headers included. @param onDrain after a refused frame: half of it is free again. */
  constructor(socket: Duplex, bytesMax: number, onDrain?: () => void) {
    this.#socket = socket;
    this.#bytesMax = bytesMax;
    this.#onDrain = onDrain;
  }

  /** Octets that wait, those of the write under way included. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Appends a frame with the payload `bytes[start .. end)`, or drops it whole. `isControl`: a frame of the protocol itself. */
  push(type: FrameType, bytes: Uint8Array, start: number, end: number, isControl: boolean): boolean {
    if (!this.#admits(FRAME_HEADER_BYTES + end - start, isControl)) return false;
    this.#appendHeader(type, end - start);
    this.#append(bytes, start, end);
    this.#flushSoon();
    return true;
  }

  /** Appends octets of another protocol, or drops them all: counted as one frame. */
  pushRaw(bytes: Uint8Array): boolean {
    if (!this.#admits(bytes.length, false)) return false;
    this.#append(bytes, 0, bytes.length);
    this.#flushSoon();
    return true;
  }

  /** Whether there is room for a frame, which is counted either way. */
  #admits(frameBytes: number, isControl: boolean): boolean {
    const limit = isControl ? this.#bytesMax + CONTROL_BYTES_MAX : this.#bytesMax;
    if (this.#isEnding || this.#isDestroyed || this.#queuedBytes + frameBytes > limit) {
      this.#isRefusing = true;
      this.framesDropped += 1;
      this.bytesDropped += frameBytes;
      return false;
    }
    this.#queuedBytes += frameBytes;
    this.framesSent += 1;
    return true;
  }

  #flushSoon(): void {
    if (this.#writingBytes > 0 || this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    process.nextTick(this.#flushLater);
  }

  /** Starts the next write, unless one is under way. */
  flush(): void {
    const head = this.#chunks[0];
    if (this.#writingBytes > 0 || this.#isDestroyed || head === undefined) return;
    const count = Math.min(this.#chunks.length, WRITE_CHUNKS_MAX);
    const last = count - 1;
    const end = count === this.#chunks.length ? this.#tailEnd : SEND_CHUNK_BYTES;
    this.#writingBytes = last * SEND_CHUNK_BYTES + end - this.#headStart;
    if (last === 0) {
      this.#socket.write(head.subarray(this.#headStart, end), this.#onWritten);
      return;
    }
    this.#socket.cork();
    this.#socket.write(head.subarray(this.#headStart));
    for (let index = 1; index < last; index += 1) this.#socket.write(this.#chunks[index]);
    this.#socket.write(this.#chunks[last]!.subarray(0, end), this.#onWritten);
    this.#socket.uncork();
  }

  /** Takes no more frames, and ends the socket when the last octet is written. */
  end(): void {
    if (this.#isEnding || this.#isDestroyed) return;
    this.#isEnding = true;
    if (this.#queuedBytes === 0) this.#socket.end();
    else this.flush();
  }

  /** Forgets everything. The chunks are left to the collector: the kernel may still read from one. */
  destroy(): void {
    this.#isDestroyed = true;
    this.#chunks.length = 0;
    this.#queuedBytes = 0;
  }

  #written(): void {
    if (this.#isDestroyed) return;
    const writtenBytes = this.#writingBytes;
    this.#writingBytes = 0;
    this.#queuedBytes -= writtenBytes;
    this.bytesSent += writtenBytes;
    this.#headStart += writtenBytes;
    for (; this.#headStart >= SEND_CHUNK_BYTES; this.#headStart -= SEND_CHUNK_BYTES) this.#releaseHead();
    if (this.#queuedBytes === 0) {
      this.#headStart = 0;
      this.#tailEnd = 0;
      this.#releaseHead();
    }
    if (this.#isRefusing && this.#queuedBytes * 2 <= this.#bytesMax) {
      this.#isRefusing = false;
      this.#onDrain?.();
    }
    if (this.#queuedBytes > 0) this.flush();
    else if (this.#isEnding) this.#socket.end();
  }

  #releaseHead(): void {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined && freeChunks.length < FREE_CHUNKS_MAX) freeChunks.push(chunk);
  }

  #appendHeader(type: FrameType, payloadBytes: number): void {
    if (this.#chunks.length > 0 && this.#tailEnd + FRAME_HEADER_BYTES <= SEND_CHUNK_BYTES) {
      writeFrameHeader(this.#chunks[this.#chunks.length - 1]!, this.#tailEnd, type, payloadBytes);
      this.#tailEnd += FRAME_HEADER_BYTES;
      return;
    }
    const header = new Uint8Array(FRAME_HEADER_BYTES);
    writeFrameHeader(header, 0, type, payloadBytes);
    this.#append(header, 0, FRAME_HEADER_BYTES);
  }

  #append(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#chunks.length === 0 || this.#tailEnd === SEND_CHUNK_BYTES) {
        this.#chunks.push(freeChunks.pop() ?? Buffer.allocUnsafeSlow(SEND_CHUNK_BYTES));
        this.#tailEnd = 0;
      }
      const taken = Math.min(end - at, SEND_CHUNK_BYTES - this.#tailEnd);
      const tail = this.#chunks[this.#chunks.length - 1]!;
      tail.set(at === 0 && taken === bytes.length ? bytes : bytes.subarray(at, at + taken), this.#tailEnd);
      this.#tailEnd += taken;
      at += taken;
    }
  }
}
