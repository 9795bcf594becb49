/**
 * One tunnel of a C tcpcopy, as the intercept that it connected to sees it: docs/channel.md, «Of the C programs». Registrations come
 * in, frames of response headers go out; nobody answers anything, and nothing says whether the other end lives but TCP itself.
 */
import type { Socket } from 'node:net';
import {
  type FrameType,
  type Hello,
  isTunnelHello,
  readU16,
  TUNNEL_TYPE,
  TunnelMessageReader,
  type WireFormat,
  type WireVersion,
  wireFormatOf,
} from '@trafficcopy/core';
import type { ChannelConnection, ChannelStatistics } from './channel-connection.js';
import { ChannelError } from './channel-error.js';
import { nextConnectionId } from './connection-id.js';
import { SendQueue } from './send-queue.js';
import { SocketFate } from './socket-fate.js';
import { SocketReading } from './socket-reading.js';

/** The hello must be there after this time. */
const HELLO_TIMEOUT_MS = 10_000;
/** TCP asks a silent peer whether it is there after so long. */
const KEEP_ALIVE_MS = 10_000;
/** Octets that are read in one turn of the loop, about. */
const TURN_BYTES = 64 * 1024;

export interface WireTunnelHandlers {
  /** The hello was said, in a version that is served. False: no place; the tunnel is destroyed. */
  onOpen(tunnel: WireTunnel): boolean;
  /** A message behind the hello: 14 octets at `offset`, valid during the call only. */
  onMessage(tunnel: WireTunnel, bytes: Uint8Array, offset: number): void;
  /** Once for each tunnel that was open. */
  onEnd(tunnel: WireTunnel, reason: ChannelError): void;
  /** It never became open. */
  onRefusal(error: ChannelError, remote: string): void;
}

export class WireTunnel implements ChannelConnection {
  readonly id = nextConnectionId();
  readonly remote: string;
  readonly identity = undefined;
  readonly #socket: Socket;
  readonly #versions: readonly WireVersion[];
  readonly #handlers: WireTunnelHandlers;
  readonly #queue: SendQueue;
  readonly #reading: SocketReading;
  readonly #fate: SocketFate;
  readonly #reader: TunnelMessageReader;
  readonly #helloTimer: NodeJS.Timeout;
  #format: WireFormat | undefined;
  #peer: Hello | undefined;
  #isClosed = false;
  #reason: ChannelError | undefined;
  #messages = 0;
  #bytesReceived = 0;

  /** @param versions those that are served. @param queueBytesMax octets that may wait for the peer. */
  constructor(
    socket: Socket,
    remote: string,
    versions: readonly WireVersion[],
    queueBytesMax: number,
    handlers: WireTunnelHandlers,
  ) {
    this.remote = remote;
    this.#socket = socket;
    this.#versions = versions;
    this.#handlers = handlers;
    this.#queue = new SendQueue(socket, queueBytesMax);
    this.#reading = new SocketReading(socket, TURN_BYTES);
    this.#fate = new SocketFate(socket);
    this.#reader = new TunnelMessageReader((bytes, offset) => this.#message(bytes, offset));
    this.#helloTimer = setTimeout(() => {
      this.destroy(new ChannelError('ERR_CHANNEL_TIMEOUT', `no whole hello within ${HELLO_TIMEOUT_MS / 1000} s`));
    }, HELLO_TIMEOUT_MS);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.on('data', (chunk: Buffer) => this.read(chunk));
    socket.on('end', () => socket.end());
    socket.on('close', () => this.#closed());
  }

  /** What its hello said, in the words of our own. Only asked for once it is open. */
  get peer(): Hello {
    return this.#peer!;
  }

  /** As {@link peer}. */
  get format(): WireFormat {
    return this.#format!;
  }

  get isOpen(): boolean {
    return this.#peer !== undefined && !this.#isClosed && this.#reason === undefined;
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
    const framesReceived = this.#messages;
    return { framesSent, bytesSent, framesReceived, bytesReceived: this.#bytesReceived, framesDropped, bytesDropped };
  }

  /** Octets from the socket. */
  read(chunk: Uint8Array): void {
    if (this.#isClosed || this.#reason !== undefined) return;
    this.#bytesReceived += chunk.length;
    if (this.#reader.push(chunk)) this.#reading.took(chunk.length);
  }

  /** Frames of the C protocol as they stand: there is one type, and no header around them. */
  send(_type: FrameType, payload: Uint8Array): boolean {
    return this.#queue.pushRaw(payload);
  }

  /** Nothing that a replay batch holds is ever said to a tcpcopy. */
  sendBatch(): boolean {
    return false;
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

  /** The protocol has no farewell: what is queued goes out, then the end. */
  close(reason: string): void {
    if (this.#reason !== undefined) return;
    this.#reason = new ChannelError('ERR_CHANNEL_GOAWAY', `closed by this side: ${reason}`);
    this.#socket.resume();
    this.#queue.end();
    setTimeout(() => this.#socket.destroy(), 2000).unref();
  }

  /** Ends now; nothing that is queued goes out. */
  destroy(reason: ChannelError): void {
    if (this.#isClosed) return;
    this.#reason ??= reason;
    this.#socket.destroy();
  }

  #message(bytes: Uint8Array, offset: number): boolean {
    if (this.#peer === undefined) return this.#hello(bytes, offset);
    this.#messages += 1;
    this.#handlers.onMessage(this, bytes, offset);
    return true;
  }

  #hello(bytes: Uint8Array, offset: number): boolean {
    const type = readU16(bytes, offset + TUNNEL_TYPE);
    const format = isTunnelHello(bytes, offset) ? wireFormatOf(type) : undefined;
    if (format === undefined) {
      const what = isTunnelHello(bytes, offset)
        ? `its hello has the version ${type}; those of tcpcopy 0.9.6 (4) and 1.x (6) can be served`
        : 'it begins like a tcpcopy, but its hello holds more than a version';
      return this.#refuse(what);
    }
    if (!this.#versions.includes(format.version)) {
      return this.#refuse(`it is a tcpcopy ${format.version}; to serve it, add it: --wire=${format.version}`);
    }
    clearTimeout(this.#helloTimer);
    const name = `tcpcopy ${format.version}`;
    this.#format = format;
    this.#peer = {
      version: { major: 0, minor: 0 },
      role: 'copy',
      name,
      delivery: 'direct',
      capabilities: [],
      targets: [],
    };
    if (this.#handlers.onOpen(this)) return true;
    this.destroy(new ChannelError('ERR_CHANNEL_GOAWAY', 'too many copies are connected'));
    return false;
  }

  #refuse(message: string): false {
    this.destroy(new ChannelError('ERR_CHANNEL_PROTOCOL', `protocol: ${message}`));
    return false;
  }

  #closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#helloTimer);
    this.#queue.destroy();
    const reason = this.#reason ?? this.#lost();
    if (this.#peer === undefined) this.#handlers.onRefusal(reason, this.remote);
    else this.#handlers.onEnd(this, reason);
  }

  #lost(): ChannelError {
    const { cause } = this.#fate;
    const what = cause === undefined ? 'closed the tunnel' : `was lost: ${cause.message}`;
    return new ChannelError('ERR_CHANNEL_LOST', `${this.remote} ${what}`, { cause });
  }
}
