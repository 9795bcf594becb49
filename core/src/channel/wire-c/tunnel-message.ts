/**
 * tcpcopy --tunnel message--> intercept: 14 octets each, the hello first and once.
 *
 * | 0 | 4 | client address | 0 in the hello |
 * | 4 | 2 | client port | 0 in the hello |
 * | 6 | 2 | type | 1 add, 2 delete; in the hello the internal version |
 * | 8 | 4 | target address | 0 in the hello |
 * | 12 | 2 | target port | 0 in the hello |
 */
import { readU16, writeU16 } from '../../wire/bytes.js';

export const TUNNEL_MESSAGE_BYTES = 14;
export const TUNNEL_CLIENT_ADDRESS = 0;
export const TUNNEL_CLIENT_PORT = 4;
export const TUNNEL_TYPE = 6;
export const TUNNEL_TARGET_ADDRESS = 8;
export const TUNNEL_TARGET_PORT = 12;

/** Responses to this client, from this target, go into this tunnel. */
export const TUNNEL_ADD = 1;
/** Never sent by a C program. */
export const TUNNEL_DELETE = 2;

/** Octets by which a hello can be told from a frame of our own, which begins with a length that is not 0. */
export const TUNNEL_SIGNATURE_BYTES = 4;

/** Whether a connection that begins so is a C tcpcopy's. Undefined: too few octets to tell. */
export function isTunnelStart(bytes: Uint8Array, length: number): boolean | undefined {
  for (let at = 0; at < Math.min(length, TUNNEL_SIGNATURE_BYTES); at += 1) if (bytes[at] !== 0) return false;
  return length >= TUNNEL_SIGNATURE_BYTES ? true : undefined;
}

/** Whether the message is a hello: nothing in it but a version. */
export function isTunnelHello(bytes: Uint8Array, offset: number): boolean {
  for (let at = 0; at < TUNNEL_MESSAGE_BYTES; at += 1) {
    const isType = at === TUNNEL_TYPE || at === TUNNEL_TYPE + 1;
    if (!isType && bytes[offset + at] !== 0) return false;
  }
  return true;
}

export function writeTunnelHello(bytes: Uint8Array, offset: number, helloType: number): void {
  bytes.fill(0, offset, offset + TUNNEL_MESSAGE_BYTES);
  writeU16(bytes, offset + TUNNEL_TYPE, helloType);
}

/** The registration of the flow that the IPv4 packet at `packetAt` (20 octets of IP header) opens. */
export function writeTunnelAdd(out: Uint8Array, offset: number, packet: Uint8Array, packetAt: number): void {
  for (let at = 0; at < 4; at += 1) {
    out[offset + TUNNEL_CLIENT_ADDRESS + at] = packet[packetAt + 12 + at]!;
    out[offset + TUNNEL_TARGET_ADDRESS + at] = packet[packetAt + 16 + at]!;
  }
  writeU16(out, offset + TUNNEL_CLIENT_PORT, readU16(packet, packetAt + 20));
  writeU16(out, offset + TUNNEL_TARGET_PORT, readU16(packet, packetAt + 22));
  writeU16(out, offset + TUNNEL_TYPE, TUNNEL_ADD);
}

/** Takes one message in place; valid during the call only. False stops the reader for good. */
export type TunnelMessageHandler = (bytes: Uint8Array, offset: number) => boolean;

/** Finds the messages in a stream that comes in chunks of any size. Holds 13 octets at most. */
export class TunnelMessageReader {
  readonly #onMessage: TunnelMessageHandler;
  readonly #partial = new Uint8Array(TUNNEL_MESSAGE_BYTES);
  #partialBytes = 0;
  #isStopped = false;

  constructor(onMessage: TunnelMessageHandler) {
    this.#onMessage = onMessage;
  }

  /** Octets of a message that is not whole yet. */
  get heldBytes(): number {
    return this.#partialBytes;
  }

  /** False once the handler has stopped it. */
  push(chunk: Uint8Array, start = 0, end: number = chunk.length): boolean {
    if (this.#isStopped) return false;
    let at = start;
    while (at < end) {
      if (this.#partialBytes === 0 && end - at >= TUNNEL_MESSAGE_BYTES) {
        at += TUNNEL_MESSAGE_BYTES;
        if (!this.#onMessage(chunk, at - TUNNEL_MESSAGE_BYTES)) return this.#stop();
        continue;
      }
      this.#partial[this.#partialBytes] = chunk[at]!;
      this.#partialBytes += 1;
      at += 1;
      if (this.#partialBytes < TUNNEL_MESSAGE_BYTES) continue;
      this.#partialBytes = 0;
      if (!this.#onMessage(this.#partial, 0)) return this.#stop();
    }
    return true;
  }

  #stop(): false {
    this.#isStopped = true;
    return false;
  }
}
