import type { Socket } from 'node:net';
import {
  FRAME,
  type FrameType,
  HeaderFrameReader,
  type Hello,
  RECORD_OPEN,
  RECORD_RELEASE,
  REPLAY_RECORD_HEADER_BYTES,
  type ReplayBatch,
  readU16,
  readU32,
  SessionRoutes,
  TUNNEL_MESSAGE_BYTES,
  type WireFormat,
  writeTunnelAdd,
  writeTunnelHello,
} from '@trafficcopy/core';
import type { ChannelConnection, ChannelStatistics } from './channel-connection.js';
import { ChannelError } from './channel-error.js';
import { nextConnectionId } from './connection-id.js';
import { SendQueue } from './send-queue.js';

/** TCP asks a silent intercept whether it is there after so long: its protocol does not. */
const KEEP_ALIVE_MS = 10_000;
/** Registrations of one write into the queue. */
const ADDS_MAX = 512;

export interface WireUplinkOptions {
  readonly format: WireFormat;
  /** Octets that may wait for the intercept. */
  readonly queueBytesMax: number;
  /** Sessions that can be open at a time. */
  readonly sessionsMax: number;
  readonly seed: number;
  /** intercept --response headers--> copy: `bytes[0 .. length)` as in a HEADERS frame, valid during the call only. */
  onHeaders(bytes: Uint8Array, length: number): void;
  /** Once. */
  onEnd(reason: ChannelError): void;
  onDrain?: (() => void) | undefined;
}

/**
 * A tunnel to a C intercept as a copy of ours sees it, for Direct delivery: batches of REGISTER and RELEASE records go in, and only
 * what the C protocol knows goes out; what comes is turned into payloads of HEADERS frames. Open from the start: nobody answers a hello.
 */
export class WireUplink implements ChannelConnection {
  readonly id = nextConnectionId();
  readonly remote: string;
  readonly identity = undefined;
  readonly peer: Hello;
  readonly #socket: Socket;
  readonly #options: WireUplinkOptions;
  readonly #queue: SendQueue;
  readonly #routes: SessionRoutes;
  readonly #reader: HeaderFrameReader;
  readonly #adds = new Uint8Array(ADDS_MAX * TUNNEL_MESSAGE_BYTES);
  #isClosed = false;
  #peerHasLeft = false;
  #cause: Error | undefined;
  #reason: ChannelError | undefined;
  #bytesReceived = 0;

  /** @param socket connected */
  constructor(socket: Socket, remote: string, options: WireUplinkOptions) {
    const { format, sessionsMax, seed } = options;
    this.remote = remote;
    this.#socket = socket;
    this.#options = options;
    this.#queue = new SendQueue(socket, options.queueBytesMax, options.onDrain);
    this.#routes = new SessionRoutes(sessionsMax, seed);
    this.#reader = new HeaderFrameReader(
      format,
      (bytes, header) => this.#routes.find(bytes, header),
      (bytes, length) => options.onHeaders(bytes, length),
    );
    this.peer = {
      version: { major: 0, minor: 0 },
      role: 'intercept',
      name: `intercept ${format.version} in C`,
      delivery: 'direct',
      capabilities: [],
      targets: [],
    };
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.on('end', () => {
      this.#peerHasLeft = true;
    });
    socket.on('error', (error) => {
      this.#cause ??= error;
    });
    socket.on('close', () => this.#closed());
    const hello = new Uint8Array(TUNNEL_MESSAGE_BYTES);
    writeTunnelHello(hello, 0, format.helloType);
    this.#queue.pushRaw(hello);
  }

  get isOpen(): boolean {
    return !this.#isClosed && this.#reason === undefined;
  }

  get peerHasLeft(): boolean {
    return this.#peerHasLeft;
  }

  get queuedBytes(): number {
    return this.#queue.queuedBytes;
  }

  get framesDropped(): number {
    return this.#queue.framesDropped;
  }

  get statistics(): ChannelStatistics {
    const { framesSent, bytesSent, framesDropped, bytesDropped } = this.#queue;
    const framesReceived = this.#reader.counters.frames;
    return { framesSent, bytesSent, framesReceived, bytesReceived: this.#bytesReceived, framesDropped, bytesDropped };
  }

  /** Octets from the socket, `bytes[0 .. length)`. */
  read(bytes: Uint8Array, length: number): void {
    if (!this.isOpen) return;
    this.#bytesReceived += length;
    if (this.#reader.push(bytes, 0, length)) return;
    const { version, countMax } = this.#options.format;
    this.#end(
      new ChannelError(
        'ERR_CHANNEL_PROTOCOL',
        `${this.remote} announced ${this.#reader.oversizedCount} response headers in one frame; intercept ${version} sends ${countMax} at most: is it a C intercept, of this version, and built with the same --resp-payload as given here?`,
      ),
    );
  }

  /** The C protocol has no frames of ours. */
  send(): boolean {
    return false;
  }

  sendBatch(type: FrameType, batch: ReplayBatch): boolean {
    if (type !== FRAME.REGISTER && type !== FRAME.RELEASE) return false;
    const { bytes, length, headroomBytes } = batch;
    let isTaken = true;
    let count = 0;
    for (let at = headroomBytes; at < length; ) {
      const packetBytes = readU16(bytes, at + 4);
      const packetAt = at + REPLAY_RECORD_HEADER_BYTES;
      const kind = bytes[at + 6]!;
      const sessionId = readU32(bytes, at);
      if (kind === RECORD_RELEASE) this.#routes.release(sessionId);
      else if (kind === RECORD_OPEN) {
        isTaken = this.#routes.add(bytes, packetAt, sessionId) && isTaken;
        writeTunnelAdd(this.#adds, count * TUNNEL_MESSAGE_BYTES, bytes, packetAt);
        count += 1;
        if (count === ADDS_MAX) {
          isTaken = this.#pushAdds(count) && isTaken;
          count = 0;
        }
      }
      at = packetAt + ((packetBytes + 3) & ~3);
    }
    return this.#pushAdds(count) && isTaken;
  }

  #pushAdds(count: number): boolean {
    return count === 0 || this.#queue.pushRaw(this.#adds.subarray(0, count * TUNNEL_MESSAGE_BYTES));
  }

  flush(): void {
    this.#queue.flush();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** The protocol has no farewell. */
  close(reason: string): void {
    this.#end(new ChannelError('ERR_CHANNEL_GOAWAY', `closed by this side: ${reason}`));
  }

  #end(reason: ChannelError): void {
    if (this.#isClosed) return;
    this.#reason ??= reason;
    this.#socket.destroy();
  }

  #closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#queue.destroy();
    const cause = this.#cause;
    const what = cause === undefined ? 'closed the tunnel' : `was lost: ${cause.message}`;
    this.#options.onEnd(this.#reason ?? new ChannelError('ERR_CHANNEL_LOST', `${this.remote} ${what}`, { cause }));
  }
}
