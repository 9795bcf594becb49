/**
 * The connecting side of a channel: connects, says HELLO, and when the connection is lost comes back, until it is closed or
 * refused for good. Its user's sessions live on between two connections.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import {
  CHANNEL_VERSION,
  type ChannelRole,
  encodeHello,
  encodeRenewRequest,
  FRAME,
  type Hello,
  parseCertificateGrant,
  parseHello,
  parseRefusal,
} from '@trafficcopy/core';
import { certificateRequest } from '../identity/certificate-request.js';
import { type CertificateLifetime, certificateLifetime, renewedCredentials } from '../identity/credential-check.js';
import type { ClientCredentials } from '../identity/credentials.js';
import { identityOf, type PeerIdentity } from '../identity/peer-identity.js';
import type { ChannelConnection } from './channel-connection.js';
import { ChannelError } from './channel-error.js';
import { type ChunkReader, connectError, connectInsecurely, connectSecurely } from './client-socket.js';
import { garbageText } from './garbage-text.js';
import { reconnectDelayMs } from './reconnect-delay.js';
import { SocketConnection } from './socket-connection.js';
import { socketText } from './socket-text.js';

/** TCP, TLS and HELLO must be done in this time. */
export const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that lived so long makes the next delay short again. */
const STABLE_MS = 5000;
/** The limit of what waits for the peer, octets. */
export const QUEUE_BYTES_MAX_DEFAULT = 16 * 1024 * 1024;

export interface ChannelClientOptions {
  readonly host: string;
  readonly port: number;
  /** `'insecure'`: plain TCP. */
  readonly credentials: ClientCredentials | 'insecure';
  /** What we say about ourselves; the version is filled in. */
  readonly hello: Omit<Hello, 'version'>;
  /** Roles that the server may have. Default: intercept. */
  readonly serverRoles?: readonly ChannelRole[] | undefined;
  /** Octets that may wait for the peer; beyond, frames are dropped whole and counted. Default 16 MiB. */
  readonly queueBytesMax?: number | undefined;
  /** The channel is there. Anything of an earlier connection is gone: register flows again. */
  onUp(connection: ChannelConnection): void;
  /** A frame for the user. `bytes[offset .. offset + length)` is valid during the call only. */
  onFrame(connection: ChannelConnection, type: number, bytes: Uint8Array, offset: number, length: number): void;
  /**
   * An established connection ended, or an attempt to connect failed: called once for each. With `willRetry` the next attempt
   * follows after `retryInMs`; without, the client has ended and `reason` says what somebody must change.
   */
  onDown(reason: ChannelError, willRetry: boolean, retryInMs: number): void;
  /** Frames were dropped, and half of the queue is free again. */
  onDrain?: ((connection: ChannelConnection) => void) | undefined;
  /** Ask for a new certificate at half of the lifetime. Default true; only one of several clients with the same credentials should. */
  readonly renew?: boolean | undefined;
  /** The certificate was renewed: store it. It is used from the next connection on. */
  onRenewed?: ((credentials: ClientCredentials) => void) | undefined;
  /** The authority did not renew the certificate; asked again later. */
  onRenewalFailed?: ((message: string) => void) | undefined;
  readonly connectTimeoutMs?: number | undefined;
  readonly livenessIntervalMs?: number | undefined;
  /** Jitter of the back-off, 0 up to 1. */
  readonly random?: (() => number) | undefined;
}

export class ChannelClient {
  readonly #options: ChannelClientOptions;
  #credentials: ClientCredentials | 'insecure';
  #connection: SocketConnection | undefined;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #attempts = 0;
  #upSinceMs = 0;
  #renewAskedMs = Number.NEGATIVE_INFINITY;
  /** Of the own certificate; undefined until asked for. */
  #lifetime: CertificateLifetime | undefined;
  #redirect: { readonly host: string; readonly port: number } | undefined;
  #state: 'new' | 'running' | 'closed' = 'new';

  constructor(options: ChannelClientOptions) {
    this.#options = options;
    this.#credentials = options.credentials;
  }

  /** The established connection, if there is one now. */
  get connection(): ChannelConnection | undefined {
    return this.#connection?.isOpen ? this.#connection : undefined;
  }

  /** Begins. Nothing is thrown: failures come by `onDown`. */
  start(): void {
    if (this.#state !== 'new') return;
    this.#state = 'running';
    this.#connect();
  }

  /**
   * Ends the channel: tells the peer, lets what is queued out for a moment. No callback comes afterwards. Resolves when the socket is
   * closed, 2 s later at most.
   */
  async close(reason = 'the program ends'): Promise<void> {
    this.#state = 'closed';
    clearTimeout(this.#timer);
    const socket = this.#socket;
    if (socket === undefined || socket.closed) return;
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    if (this.#connection?.isOpen) this.#connection.close(reason);
    else if (!this.#connection?.isEnding) socket.destroy();
    await closed;
  }

  /** Uses other credentials from the next connection on. */
  setCredentials(credentials: ClientCredentials): void {
    if (this.#credentials === 'insecure') return;
    this.#credentials = credentials;
    this.#lifetime = undefined;
  }

  #connect(): void {
    const { host, port } = this.#redirect ?? this.#options;
    const credentials = this.#credentials;
    const roles = this.#options.serverRoles ?? ['intercept'];
    let failure: ChannelError | undefined;
    let socket: Socket;
    const reader: ChunkReader = (bytes, length) => connection.read(bytes, length);
    try {
      socket =
        credentials === 'insecure'
          ? connectInsecurely(host, port, reader)
          : connectSecurely(host, port, credentials, roles, reader);
    } catch (error) {
      // A key or certificate that OpenSSL cannot read.
      this.#down(
        new ChannelError(
          'ERR_CHANNEL_SERVER_CERTIFICATE',
          `the own credentials are unusable: ${(error as Error).message}`,
          { cause: error },
        ),
      );
      return;
    }
    this.#socket = socket;
    let identity: PeerIdentity | undefined;
    const timeoutMs = this.#options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    const connection: SocketConnection = new SocketConnection(
      socket,
      socketText(host, port),
      this.#options.queueBytesMax ?? QUEUE_BYTES_MAX_DEFAULT,
      {
        onFrame: (type, bytes, offset, length) => {
          if (connection.isOpen) return this.#frame(connection, type, bytes, offset, length);
          clearTimeout(this.#timer);
          return this.#welcome(connection, identity, type, bytes, offset, length);
        },
        onGarbage: (header) => {
          connection.destroy(
            new ChannelError(
              'ERR_CHANNEL_PROTOCOL',
              `${connection.remote} is no TrafficCopy server: ${garbageText(header)}`,
            ),
          );
        },
        onEnd: (reason) => this.#ended(connection, failure ?? explained(reason, connection, credentials)),
        onDrain: () => this.#options.onDrain?.(connection),
        onTick: () => this.#renewIfDue(connection),
      },
      this.#options.livenessIntervalMs,
    );
    this.#connection = connection;
    socket.once('error', (error) => {
      if (!connection.isOpen) failure = connectError(host, port, error);
    });
    socket.once(credentials === 'insecure' ? 'connect' : 'secureConnect', () => {
      const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
      identity = certificate && identityOf(certificate);
      connection.sendControl(FRAME.HELLO, encodeHello({ ...this.#options.hello, version: CHANNEL_VERSION }));
    });
    this.#timer = setTimeout(() => {
      const message = `${connection.remote} did not answer within ${timeoutMs / 1000} s`;
      connection.destroy(new ChannelError('ERR_CHANNEL_TIMEOUT', message));
    }, timeoutMs);
  }

  /** The server's answer to HELLO. */
  #welcome(
    connection: SocketConnection,
    identity: PeerIdentity | undefined,
    type: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): boolean {
    if (type === FRAME.REFUSED) {
      connection.destroy(refusedError(connection.remote, bytes, offset, length));
      return false;
    }
    const hello = type === FRAME.WELCOME ? parseHello(bytes, offset, length) : undefined;
    if (hello === undefined || hello.version.major !== CHANNEL_VERSION.major) {
      const message = `${connection.remote} answered HELLO with a frame that is no WELCOME of version ${CHANNEL_VERSION.major}`;
      connection.destroy(new ChannelError('ERR_CHANNEL_PROTOCOL', message));
      return false;
    }
    this.#upSinceMs = performance.now();
    connection.open(hello, identity);
    this.#options.onUp(connection);
    this.#renewIfDue(connection);
    return true;
  }

  #frame(connection: SocketConnection, type: number, bytes: Uint8Array, offset: number, length: number): boolean {
    if (type === FRAME.RENEWED) this.#renewed(bytes, offset, length);
    else if (type === FRAME.REFUSED)
      this.#options.onRenewalFailed?.(refusedError(connection.remote, bytes, offset, length).message);
    else if (this.#state === 'running') this.#options.onFrame(connection, type, bytes, offset, length);
    return true;
  }

  #ended(connection: SocketConnection, reason: ChannelError): void {
    if (this.#connection !== connection) return;
    clearTimeout(this.#timer);
    this.#connection = undefined;
    this.#socket = undefined;
    const goodbye = reason.goodbye;
    const isRedirect = goodbye?.code === 'redirect' && goodbye.host !== undefined && goodbye.port !== undefined;
    this.#redirect = isRedirect ? { host: goodbye.host!, port: goodbye.port! } : undefined;
    this.#down(reason);
  }

  #down(reason: ChannelError): void {
    if (this.#state !== 'running') return;
    if (reason.isFinal) {
      this.#state = 'closed';
      this.#options.onDown(reason, false, 0);
      return;
    }
    if (this.#upSinceMs > 0 && performance.now() - this.#upSinceMs >= STABLE_MS) this.#attempts = 0;
    this.#upSinceMs = 0;
    const delayMs = reconnectDelayMs(this.#attempts, (this.#options.random ?? Math.random)());
    this.#attempts += 1;
    this.#timer = setTimeout(() => this.#connect(), delayMs);
    this.#options.onDown(reason, true, delayMs);
  }

  /** Asks for a new certificate when half of the old one's lifetime is over, and again after a 32nd of it. */
  #renewIfDue(connection: SocketConnection): void {
    const credentials = this.#credentials;
    if (credentials === 'insecure' || this.#options.renew === false || !connection.isOpen) return;
    this.#lifetime ??= certificateLifetime(credentials.certificate);
    const { notBeforeMs, notAfterMs } = this.#lifetime;
    const lifetimeMs = notAfterMs - notBeforeMs;
    // When it was asked for is a matter of the clock that nobody sets.
    const nowMs = performance.now();
    if (Date.now() < notBeforeMs + lifetimeMs / 2 || nowMs < this.#renewAskedMs + lifetimeMs / 32) return;
    this.#renewAskedMs = nowMs;
    certificateRequest(credentials.key).then(
      (request) => connection.sendControl(FRAME.RENEW, encodeRenewRequest({ certificateRequest: request })),
      (error: unknown) =>
        this.#options.onRenewalFailed?.(`the certificate request failed: ${(error as Error).message}`),
    );
  }

  #renewed(bytes: Uint8Array, offset: number, length: number): void {
    const credentials = this.#credentials;
    const grant = parseCertificateGrant(bytes, offset, length);
    if (credentials === 'insecure') return;
    const renewed = grant && renewedCredentials(credentials, grant);
    if (renewed === undefined) {
      this.#options.onRenewalFailed?.('the authority sent a certificate that does not fit the own key or its own');
      return;
    }
    this.setCredentials(renewed);
    this.#options.onRenewed?.(renewed);
  }
}

/** A server that closes at the sight of a plain HELLO is most likely one that expects TLS. */
function explained(
  reason: ChannelError,
  connection: SocketConnection,
  credentials: ClientCredentials | 'insecure',
): ChannelError {
  if (connection.wasOpen || credentials !== 'insecure' || reason.code !== 'ERR_CHANNEL_LOST') return reason;
  const message = `${reason.message} instead of answering HELLO; does it expect TLS (leave out --insecure)?`;
  return new ChannelError(reason.code, message, { cause: reason.cause });
}

/** What REFUSED says, as an error. */
export function refusedError(remote: string, bytes: Uint8Array, offset: number, length: number): ChannelError {
  const refusal = parseRefusal(bytes, offset, length);
  if (refusal === undefined) {
    return new ChannelError('ERR_CHANNEL_PROTOCOL', `${remote} refused us with a frame that cannot be read`);
  }
  const message = `${remote} refused the connection (${refusal.code}): ${refusal.message}`;
  return new ChannelError('ERR_CHANNEL_REFUSED', message, { refusal: refusal.code });
}
