import type { Socket } from 'node:net';
import type { WireFormat } from '@trafficcopy/core';
import type { ChannelConnection } from './channel-connection.js';
import { ChannelError } from './channel-error.js';
import { connectError, connectInsecurely } from './client-socket.js';
import { reconnectDelayMs } from './reconnect-delay.js';
import { socketText } from './socket-text.js';
import { WireUplink } from './wire-uplink.js';

const CONNECT_TIMEOUT_MS = 10_000;
/** A tunnel that lived so long makes the next delay short again. */
const STABLE_MS = 5000;

export interface WireTunnelClientOptions {
  readonly host: string;
  readonly port: number;
  readonly format: WireFormat;
  /** Octets that may wait for the intercept. */
  readonly queueBytesMax: number;
  /** Sessions that can be open at a time. */
  readonly sessionsMax: number;
  readonly seed: number;
  /** The tunnel is there: register flows again. */
  onUp(connection: ChannelConnection): void;
  /** `bytes[0 .. length)` as in a HEADERS frame, valid during the call only. */
  onHeaders(bytes: Uint8Array, length: number): void;
  /** A tunnel ended, or could not be opened. It is tried again, always. */
  onDown(reason: ChannelError): void;
  onDrain?: (() => void) | undefined;
}

/** Keeps one tunnel to a C intercept open: connects, and when it is lost comes back until it is closed. */
export class WireTunnelClient {
  readonly #options: WireTunnelClientOptions;
  #uplink: WireUplink | undefined;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #attempts = 0;
  #upSinceMs = 0;
  #isClosed = false;

  constructor(options: WireTunnelClientOptions) {
    this.#options = options;
  }

  /** Begins. Nothing is thrown: failures come by `onDown`. */
  start(): void {
    if (!this.#isClosed && this.#socket === undefined) this.#connect();
  }

  /** No callback comes afterwards. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    // What is queued has no use without responses.
    this.#socket?.destroy();
  }

  #connect(): void {
    const { host, port } = this.#options;
    const remote = socketText(host, port);
    let failure: ChannelError | undefined;
    const socket = connectInsecurely(host, port, (bytes, length) => this.#uplink?.read(bytes, length));
    this.#socket = socket;
    this.#timer = setTimeout(() => {
      failure = new ChannelError(
        'ERR_CHANNEL_TIMEOUT',
        `${remote} did not answer within ${CONNECT_TIMEOUT_MS / 1000} s`,
      );
      socket.destroy();
    }, CONNECT_TIMEOUT_MS);
    socket.once('error', (error) => {
      failure ??= connectError(host, port, error);
    });
    socket.once('connect', () => {
      clearTimeout(this.#timer);
      this.#up(socket, remote);
    });
    socket.once('close', () => {
      if (this.#uplink !== undefined || this.#socket !== socket) return;
      clearTimeout(this.#timer);
      this.#down(failure ?? new ChannelError('ERR_CHANNEL_LOST', `${remote} closed the connection`));
    });
  }

  #up(socket: Socket, remote: string): void {
    const { format, queueBytesMax, sessionsMax, seed, onUp, onHeaders, onDrain } = this.#options;
    this.#upSinceMs = Date.now();
    this.#uplink = new WireUplink(socket, remote, {
      format,
      queueBytesMax,
      sessionsMax,
      seed,
      onHeaders: (bytes, length) => {
        if (!this.#isClosed) onHeaders(bytes, length);
      },
      onEnd: (reason) => {
        this.#uplink = undefined;
        this.#down(reason);
      },
      onDrain,
    });
    onUp(this.#uplink);
  }

  #down(reason: ChannelError): void {
    this.#socket = undefined;
    if (this.#isClosed) return;
    if (this.#upSinceMs > 0 && Date.now() - this.#upSinceMs >= STABLE_MS) this.#attempts = 0;
    this.#upSinceMs = 0;
    this.#timer = setTimeout(() => this.#connect(), reconnectDelayMs(this.#attempts, Math.random()));
    this.#attempts += 1;
    this.#options.onDown(reason);
  }
}
