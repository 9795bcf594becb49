/**
 * Finds frames in a stream that comes in chunks of any size.
 *
 * A frame that lies whole in a chunk is handed over in place; one that spans chunks is put together in a buffer of the
 * decoder, so every octet is copied once at most. Memory is bounded by `payloadBytesMax`, whatever the peer announces, and the
 * buffer is only made when octets of a payload are there. After an error the decoder stays broken: a stream whose borders
 * are lost cannot be read on.
 */
import { FRAME_HEADER_BYTES, FRAME_TYPE, framePayloadBytes } from './frame.js';

/**
 * Takes one frame. `bytes[offset .. offset + length)` is the payload, valid during the call only.
 * Returning false stops the decoder for good (the rest of the chunk is not read).
 */
export type FrameHandler = (type: number, bytes: Uint8Array, offset: number, length: number) => boolean;

/** Smallest buffer for frames that span chunks, octets. */
const ASSEMBLY_BYTES_MIN = 4096;

export class FrameDecoder {
  readonly #onFrame: FrameHandler;
  #payloadBytesMax: number;
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES);
  /** Octets of `#header` that are there. */
  #headerBytes = 0;
  #assembly = new Uint8Array(0);
  /** Octets of the payload in `#assembly`. */
  #assemblyBytes = 0;
  #type = 0;
  #payloadBytes = 0;
  #isStopped = false;
  #announcedBytes = 0;

  constructor(payloadBytesMax: number, onFrame: FrameHandler) {
    this.#payloadBytesMax = payloadBytesMax;
    this.#onFrame = onFrame;
    this.#header.fill(0);
  }

  /** What was wrong: a frame that announced more than the limit. 0 when nothing was. */
  get oversizedBytes(): number {
    return this.#announcedBytes;
  }

  /** The header of the frame that was being read, for messages about strangers. */
  get lastHeader(): Uint8Array {
    return this.#header;
  }

  /** What there is of the header of a frame that is not whole yet; empty between frames. */
  get partialHeader(): Uint8Array {
    return this.#header.subarray(0, this.#headerBytes);
  }

  /** Octets held for a frame that is not whole yet (not counting the header). */
  get heldBytes(): number {
    return this.#assemblyBytes;
  }

  /** Octets of memory taken by the buffer for frames that span chunks. */
  get assemblyBytes(): number {
    return this.#assembly.length;
  }

  /** True between two frames. A stream that ends elsewhere was cut off. */
  get isBetweenFrames(): boolean {
    return this.#headerBytes === 0;
  }

  /** From the next header on. */
  setPayloadBytesMax(payloadBytesMax: number): void {
    this.#payloadBytesMax = payloadBytesMax;
  }

  /**
   * Reads a chunk, which belongs to the caller again when the call returns. False when the stream cannot be read on: a frame
   * was too large, or the handler said so.
   */
  push(chunk: Uint8Array, start = 0, end: number = chunk.length): boolean {
    if (this.#isStopped) return false;
    let at = start;
    while (at < end) {
      if (this.#headerBytes === 0 && end - at >= FRAME_HEADER_BYTES) {
        const payloadBytes = framePayloadBytes(chunk, at);
        if (payloadBytes <= this.#payloadBytesMax && payloadBytes <= end - at - FRAME_HEADER_BYTES) {
          const type = chunk[at + FRAME_TYPE]!;
          at += FRAME_HEADER_BYTES + payloadBytes;
          if (!this.#onFrame(type, chunk, at - payloadBytes, payloadBytes)) return this.#stop();
          continue;
        }
      }
      if (this.#headerBytes < FRAME_HEADER_BYTES) {
        at = this.#readHeader(chunk, at, end);
        if (this.#headerBytes < FRAME_HEADER_BYTES) return true;
        if (this.#payloadBytes > this.#payloadBytesMax) {
          this.#announcedBytes = this.#payloadBytes;
          return this.#stop();
        }
        if (this.#payloadBytes > 0) continue;
      }
      at = this.#readPayload(chunk, at, end);
      if (this.#assemblyBytes < this.#payloadBytes) return true;
      const payloadBytes = this.#payloadBytes;
      this.#headerBytes = 0;
      this.#assemblyBytes = 0;
      this.#payloadBytes = 0;
      if (!this.#onFrame(this.#type, this.#assembly, 0, payloadBytes)) return this.#stop();
    }
    return true;
  }

  #stop(): false {
    this.#isStopped = true;
    this.#assembly = new Uint8Array(0);
    this.#assemblyBytes = 0;
    return false;
  }

  #readHeader(chunk: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && this.#headerBytes < FRAME_HEADER_BYTES) this.#header[this.#headerBytes++] = chunk[at++]!;
    if (this.#headerBytes === FRAME_HEADER_BYTES) {
      this.#payloadBytes = framePayloadBytes(this.#header, 0);
      this.#type = this.#header[FRAME_TYPE]!;
    }
    return at;
  }

  #readPayload(chunk: Uint8Array, start: number, end: number): number {
    const taken = Math.min(end - start, this.#payloadBytes - this.#assemblyBytes);
    if (taken > 0) {
      if (this.#assembly.length < this.#payloadBytes) this.#growAssembly();
      if (taken === chunk.length) this.#assembly.set(chunk, this.#assemblyBytes);
      else this.#assembly.set(chunk.subarray(start, start + taken), this.#assemblyBytes);
      this.#assemblyBytes += taken;
    }
    return start + taken;
  }

  /** Only between frames, so nothing is moved. */
  #growAssembly(): void {
    let bytes = ASSEMBLY_BYTES_MIN;
    while (bytes < this.#payloadBytes) bytes *= 2;
    this.#assembly = new Uint8Array(Math.max(Math.min(bytes, this.#payloadBytesMax), this.#payloadBytes));
  }
}
