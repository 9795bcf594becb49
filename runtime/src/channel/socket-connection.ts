/**
 * One socket with frames on it, from the first octet to the last: the transport below {@link ChannelConnection}, used by both sides.
 *
 * Life: handshaking (frames go to the handshake of client or server, small limit) → open (frames go to the user) → ending (what
 * is queued goes out, what comes is thrown away) → closed. `onEnd` is called exactly once, with the reason.
 */
import type { Socket } from 'node:net';
import {
  encodeGoodbye,
  FRAME,
  FRAME_HANDSHAKE_BYTES_MAX,
  FRAME_PAYLOAD_BYTES_MAX,
  FrameDecoder,
  type FrameType,
  type Goodbye,
  type Hello,
  isFrameType,
  parseGoodbye,
  REPLAY_RECORD_HEADER_BYTES,
  type ReplayBatch,
  readU16,
} from '@trafficcopy/core';
import type { PeerIdentity } from '../identity/peer-identity.js';
import type { ChannelConnection, ChannelStatistics } from './channel-connection.js';
import { ChannelError } from './channel-error.js';
import { nextConnectionId } from './connection-id.js';
import { garbageText } from './garbage-text.js';
import { SendQueue } from './send-queue.js';
import { SocketFate } from './socket-fate.js';
import { SocketReading } from './socket-reading.js';

/** A PING goes out, and silence is counted, every so often. */
export const LIVENESS_INTERVAL_MS = 5000;
/**
 * A peer that has sent nothing for so many intervals is lost (10 to 15 s). Intervals are counted, not time: when this process itself was
 * stopped, it does not take that for the peer's silence.
 */
export const LIVENESS_INTERVALS_MAX = 3;
/** The longest time in which a peer that runs can take a channel for open that is not. */
export const SILENCE_MS_MAX = LIVENESS_INTERVAL_MS * LIVENESS_INTERVALS_MAX;
/** How long the last frames may take to leave before the socket is destroyed. */
const FAREWELL_MS = 2000;
/**
 * Frames of a batch hold so much, and more only where one record does: the peer works on whole frames, and is to begin with the first
 * while the others are on their way.
 */
const BATCH_FRAME_BYTES = 64 * 1024;
/** Octets that are read in one turn of the loop, about. */
const TURN_BYTES = 256 * 1024;
/** The largest PING that is answered. */
const PING_BYTES_MAX = 64;

const NOTHING = new Uint8Array(0);

export interface SocketConnectionHandlers {
  /** A frame that is not the transport's own. False ends the connection (the handler has said why). */
  onFrame(type: number, bytes: Uint8Array, offset: number, length: number): boolean;
  /** While handshaking: octets that are no frame of this protocol; `header` holds the first 8. The handler ends the connection. */
  onGarbage(header: Uint8Array): void;
  onEnd(reason: ChannelError): void;
  onDrain?: (() => void) | undefined;
  /** Every liveness interval of an open connection. */
  onTick?: (() => void) | undefined;
}

export class SocketConnection implements ChannelConnection {
  readonly id = nextConnectionId();
  readonly remote: string;
  readonly #socket: Socket;
  readonly #decoder: FrameDecoder;
  readonly #queue: SendQueue;
  readonly #reading: SocketReading;
  readonly #fate: SocketFate;
  readonly #handlers: SocketConnectionHandlers;
  readonly #livenessIntervalMs: number;
  #peer: Hello | undefined;
  #identity: PeerIdentity | undefined;
  #phase: 'handshaking' | 'open' | 'ending' | 'closed' = 'handshaking';
  #endReason: ChannelError | undefined;
  #livenessTimer: NodeJS.Timeout | undefined;
  #farewellTimer: NodeJS.Timeout | undefined;
  #silentIntervals = 0;
  #framesReceived = 0;
  #bytesReceived = 0;

  constructor(
    socket: Socket,
    remote: string,
    queueBytesMax: number,
    handlers: SocketConnectionHandlers,
    livenessIntervalMs: number = LIVENESS_INTERVAL_MS,
  ) {
    this.remote = remote;
    this.#socket = socket;
    this.#handlers = handlers;
    this.#livenessIntervalMs = livenessIntervalMs;
    this.#decoder = new FrameDecoder(FRAME_HANDSHAKE_BYTES_MAX, (type, bytes, offset, length) =>
      this.#frame(type, bytes, offset, length),
    );
    this.#queue = new SendQueue(socket, queueBytesMax, handlers.onDrain);
    this.#reading = new SocketReading(socket, TURN_BYTES);
    this.#fate = new SocketFate(socket);
    socket.setNoDelay(true);
    // A socket that reads into a buffer of its own emits no data; the listener makes it read all the same.
    socket.on('data', (chunk: Buffer) => this.read(chunk, chunk.length));
    socket.on('close', () => this.#closed());
  }

  /** Only asked for once {@link open} was called. */
  get peer(): Hello {
    return this.#peer!;
  }

  get identity(): PeerIdentity | undefined {
    return this.#identity;
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  /** A last frame is on its way. */
  get isEnding(): boolean {
    return this.#phase === 'ending';
  }

  /** Whether the handshake was done at some time. */
  get wasOpen(): boolean {
    return this.#peer !== undefined;
  }

  get peerHasLeft(): boolean {
    return this.#fate.peerHasLeft;
  }

  get queuedBytes(): number {
    return this.#queue.queuedBytes;
  }

  get framesDropped(): number {
    return this.#queue.framesDropped;
  }

  get statistics(): ChannelStatistics {
    const { framesSent, bytesSent, framesDropped, bytesDropped } = this.#queue;
    const framesReceived = this.#framesReceived;
    const bytesReceived = this.#bytesReceived;
    return { framesSent, bytesSent, framesReceived, bytesReceived, framesDropped, bytesDropped };
  }

  /** The handshake is done: larger frames are taken, and silence is watched. */
  open(peer: Hello, identity: PeerIdentity | undefined): void {
    this.#peer = peer;
    this.#identity = identity;
    this.#phase = 'open';
    this.#decoder.setPayloadBytesMax(FRAME_PAYLOAD_BYTES_MAX);
    this.#livenessTimer = setInterval(() => this.#tick(), this.#livenessIntervalMs);
  }

  /** The peer's certificate was renewed. */
  extendIdentity(notAfterMs: number): void {
    if (this.#identity !== undefined) this.#identity = { ...this.#identity, notAfterMs };
  }

  send(type: FrameType, payload: Uint8Array): boolean {
    if (payload.length > FRAME_PAYLOAD_BYTES_MAX) {
      throw new RangeError(`a ${payload.length} octet payload: a frame holds at most ${FRAME_PAYLOAD_BYTES_MAX}`);
    }
    return this.#queue.push(type, payload, 0, payload.length, false);
  }

  sendBatch(type: FrameType, batch: ReplayBatch): boolean {
    const { bytes, length, headroomBytes } = batch;
    if (length === headroomBytes) return true;
    if (length - headroomBytes <= BATCH_FRAME_BYTES) {
      return this.#queue.push(type, bytes, headroomBytes, length, false);
    }
    let isTaken = true;
    let start = headroomBytes;
    let end = start;
    while (start < length) {
      const next = end < length ? end + REPLAY_RECORD_HEADER_BYTES + ((readU16(bytes, end + 4) + 3) & ~3) : length + 1;
      if (end > start && (next - start > BATCH_FRAME_BYTES || next > length)) {
        isTaken = this.#queue.push(type, bytes, start, end, false) && isTaken;
        start = end;
      }
      end = next;
    }
    return isTaken;
  }

  /** A frame of the protocol itself: it has room even where the queue is full. */
  sendControl(type: FrameType, payload: Uint8Array): boolean {
    return this.#queue.push(type, payload, 0, payload.length, true);
  }

  flush(): void {
    this.#queue.flush();
  }

  pause(): void {
    this.#reading.pause();
  }

  resume(): void {
    this.#reading.resume();
  }

  close(reason: string): void {
    this.farewell(
      { code: 'closing', message: reason },
      new ChannelError('ERR_CHANNEL_GOAWAY', `closed by this side: ${reason}`),
    );
  }

  /** GOAWAY, then the end. */
  farewell(goodbye: Goodbye, reason: ChannelError): void {
    this.endWith(FRAME.GOAWAY, encodeGoodbye(goodbye), reason);
  }

  /** Sends a last frame and ends; the peer has {@link FAREWELL_MS} to take it. */
  endWith(type: FrameType, payload: Uint8Array, reason: ChannelError): void {
    if (this.#phase === 'ending' || this.#phase === 'closed') return;
    this.sendControl(type, payload);
    this.#end(reason);
    this.#queue.end();
  }

  /** Ends now; nothing that is queued goes out. */
  destroy(reason: ChannelError): void {
    if (this.#phase === 'closed') return;
    this.#endReason ??= reason;
    this.#phase = 'ending';
    clearInterval(this.#livenessTimer);
    this.#socket.destroy();
  }

  /** From here on nothing is read; the peer may still read what was sent. */
  #end(reason: ChannelError): void {
    this.#endReason ??= reason;
    this.#phase = 'ending';
    clearInterval(this.#livenessTimer);
    this.#socket.resume();
    this.#farewellTimer = setTimeout(() => this.#socket.destroy(), FAREWELL_MS);
  }

  /** Octets from the socket, `bytes[0 .. length)`, valid during the call only. */
  read(bytes: Uint8Array, length: number): void {
    this.#silentIntervals = 0;
    this.#bytesReceived += length;
    // While ending the socket is read on, so that the kernel does not answer the peer's last octets with a reset that would
    // take our last frame away from it.
    if (this.#phase === 'ending' || this.#phase === 'closed') return;
    this.#reading.took(length);
    if (this.#decoder.push(bytes, 0, length)) return;
    if (this.#decoder.oversizedBytes > 0) this.#oversized();
  }

  #oversized(): void {
    if (this.#phase !== 'open') {
      this.#handlers.onGarbage(this.#decoder.lastHeader);
      return;
    }
    const message = `a frame of ${this.#decoder.oversizedBytes} octets; the limit is ${FRAME_PAYLOAD_BYTES_MAX}`;
    this.farewell(
      { code: 'protocol', message },
      new ChannelError('ERR_CHANNEL_PROTOCOL', `${this.remote} announced ${message}`),
    );
  }

  #frame(type: number, bytes: Uint8Array, offset: number, length: number): boolean {
    this.#framesReceived += 1;
    if (this.#phase !== 'open') return this.#handlers.onFrame(type, bytes, offset, length) && !this.isEnding;
    if (type === FRAME.PING) {
      if (length <= PING_BYTES_MAX) this.sendControl(FRAME.PONG, bytes.slice(offset, offset + length));
      return true;
    }
    if (type === FRAME.PONG || !isFrameType(type)) return true;
    if (type === FRAME.GOAWAY) return this.#goodbye(bytes, offset, length);
    return this.#handlers.onFrame(type, bytes, offset, length) && !this.isEnding;
  }

  #goodbye(bytes: Uint8Array, offset: number, length: number): false {
    this.#fate.peerHasLeft = true;
    const goodbye = parseGoodbye(bytes, offset, length);
    const message = `${this.remote} ended the connection (${goodbye.code}): ${goodbye.message || 'no reason given'}`;
    this.#end(new ChannelError('ERR_CHANNEL_GOAWAY', message, { goodbye }));
    this.#queue.end();
    return false;
  }

  #tick(): void {
    if (this.#phase !== 'open') return;
    // While we do not read ourselves, silence says nothing about the peer.
    if (!this.#reading.isPaused) this.#silentIntervals += 1;
    if (this.#silentIntervals >= LIVENESS_INTERVALS_MAX) {
      const seconds = (LIVENESS_INTERVALS_MAX * this.#livenessIntervalMs) / 1000;
      this.destroy(new ChannelError('ERR_CHANNEL_LOST', `${this.remote} has sent nothing for ${seconds} s`));
      return;
    }
    this.sendControl(FRAME.PING, NOTHING);
    this.#handlers.onTick?.();
  }

  #closed(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    clearInterval(this.#livenessTimer);
    clearTimeout(this.#farewellTimer);
    this.#queue.destroy();
    this.#handlers.onEnd(this.#endReason ?? this.#lost());
  }

  #lost(): ChannelError {
    const { cause } = this.#fate;
    const header = this.#decoder.partialHeader;
    if (!this.wasOpen && header.length > 0) {
      const message = `${this.remote} ended in the middle of a frame: ${garbageText(header)}`;
      return new ChannelError('ERR_CHANNEL_PROTOCOL', message, { cause });
    }
    const what = cause === undefined ? 'closed the connection' : `was lost: ${cause.message}`;
    return new ChannelError('ERR_CHANNEL_LOST', `${this.remote} ${what}`, { cause });
  }
}
