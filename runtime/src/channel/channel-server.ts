/**
 * The serving side of channels: accepts sockets, lets those in who say HELLO in our language and in time, with a certificate of our
 * authority, and tells the others why not. One bad peer costs its own socket and nothing else.
 */
import { X509Certificate } from 'node:crypto';
import net, { type AddressInfo, type Socket } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import {
  CHANNEL_VERSION,
  type ChannelRole,
  encodeCertificateGrant,
  encodeHello,
  encodeRefusal,
  FRAME,
  frameName,
  type Goodbye,
  type Hello,
  parseHello,
  parseJoinRequest,
  parsePreamble,
  parseRenewRequest,
  type RefusalCode,
} from '@trafficcopy/core';
import { certificateLifetime } from '../identity/credential-check.js';
import type { ServerCredentials } from '../identity/credentials.js';
import { identityOf, type PeerIdentity } from '../identity/peer-identity.js';
import type { ChannelAuthority, GrantRefusal } from './channel-authority.js';
import { QUEUE_BYTES_MAX_DEFAULT } from './channel-client.js';
import type { ChannelConnection } from './channel-connection.js';
import { ChannelError } from './channel-error.js';
import type { ForeignServer } from './foreign-server.js';
import { garbageText } from './garbage-text.js';
import { SocketConnection } from './socket-connection.js';
import { remoteText, socketText } from './socket-text.js';
import { TLS_OPTIONS } from './tls-options.js';

/** A peer must be known after this time: TLS and HELLO or JOIN. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Sockets of peers that are not known yet; when one more comes, the one that waits longest goes. */
export const HANDSHAKES_MAX = 64;
/** Longest wait between two looks at the own certificate (a timer holds 24 days at most). */
const RENEWAL_CHECK_MS = 12 * 3600 * 1000;
/** Shortest, so that an authority that fails is not asked in a loop. */
const RENEWAL_DELAY_MS_MIN = 1000;
/** At the end, how often it is looked whether the last connection is gone. */
const CLOSE_POLL_MS = 2;
export const CONNECTIONS_MAX_DEFAULT = 1024;
/** Refusals told to `onRefusal` in a second; more are only counted, so that a scanner cannot fill the log. */
const REFUSALS_TOLD_MAX = 20;

export interface ChannelServerOptions {
  /** Default: all addresses, IPv6 and IPv4. */
  readonly address?: string | undefined;
  /** 0: any free port, see {@link ChannelServer.port}. Of no use with {@link ChannelServer.serve}. */
  readonly port: number;
  /** `'insecure'`: plain TCP, everybody is let in. */
  readonly credentials: ServerCredentials | 'insecure';
  /** Serves JOIN and RENEW, and renews `credentials`. Not with `'insecure'`. */
  readonly authority?: ChannelAuthority | undefined;
  /** What we say about ourselves; the version is filled in. */
  readonly hello: Omit<Hello, 'version'>;
  /** Roles that are served. Default: copy and operator. */
  readonly clientRoles?: readonly ChannelRole[] | undefined;
  /** Established connections. Default 1024. */
  readonly connectionsMax?: number | undefined;
  /** Octets that may wait for one peer. Default 16 MiB. */
  readonly queueBytesMax?: number | undefined;
  readonly handshakeTimeoutMs?: number | undefined;
  /** Sockets of peers that are not known yet. Default 64. */
  readonly handshakesMax?: number | undefined;
  readonly livenessIntervalMs?: number | undefined;
  /** A last word on a peer whose version, certificate and role are right. */
  authorize?:
    | ((hello: Hello, identity: PeerIdentity | undefined, remote: string) => GrantRefusal | undefined)
    | undefined;
  onConnection(connection: ChannelConnection): void;
  /** A frame for the user. `bytes[offset .. offset + length)` is valid during the call only. */
  onFrame(connection: ChannelConnection, type: number, bytes: Uint8Array, offset: number, length: number): void;
  /** Once for each connection that onConnection saw. */
  onClose(connection: ChannelConnection, reason: ChannelError): void;
  /** A socket that did not become a connection, or a RENEW that was refused: for the log. The message says why; whom, `remote`. */
  onRefusal?: ((error: ChannelError, remote: string) => void) | undefined;
  /** Somebody looked whether we are there and took its leave (GOAWAY before HELLO), as the doctor does: no refusal. */
  onLook?: ((remote: string) => void) | undefined;
  /** A newcomer got its certificate. */
  onJoin?: ((identity: PeerIdentity, remote: string) => void) | undefined;
  /** The server's own certificate could not be renewed, or the listening socket failed: for the log. */
  onFault?: ((error: Error) => void) | undefined;
  onDrain?: ((connection: ChannelConnection) => void) | undefined;
  /** Another protocol on the same port. With `'insecure'` only. Its sockets are its own to close, before the server. */
  readonly foreign?: ForeignServer | undefined;
}

/** What the hello of a C tcpcopy looks like as a frame: no payload, and a type that we never use. */
const TCPCOPY_TYPE = 0;
const TCPCOPY_TEXT = 'it begins like a C tcpcopy, which is not served here: see --wire';

/** A socket on its way to becoming a connection. */
interface Handshake {
  readonly remote: string;
  readonly socket: Socket;
  readonly timer: NodeJS.Timeout;
  /** Set when frames are read: at once without TLS, when TLS is up with it. */
  connection: SocketConnection | undefined;
}

/** What a peer's certificate says, once verified. */
type Verdict = { readonly identity: PeerIdentity | undefined; readonly refusal?: GrantRefusal | undefined };

export class ChannelServer {
  readonly #options: ChannelServerOptions;
  readonly #handshakeTimeoutMs: number;
  readonly #handshakesMax: number;
  #server: net.Server | undefined;
  #credentials: ServerCredentials | 'insecure';
  #renewTimer: NodeJS.Timeout | undefined;
  /** By the remote address and port: raw and TLS socket of one connection have them in common. Oldest first. */
  readonly #handshakes = new Map<string, Handshake>();
  readonly #connections = new Set<SocketConnection>();
  #isClosed = false;
  #refusals = 0;
  #tellSecond = 0;
  #toldInSecond = 0;

  constructor(options: ChannelServerOptions) {
    this.#options = options;
    this.#credentials = options.credentials;
    this.#handshakeTimeoutMs = options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS;
    this.#handshakesMax = options.handshakesMax ?? HANDSHAKES_MAX;
  }

  get connections(): ReadonlySet<ChannelConnection> {
    return this.#connections;
  }

  /** Sockets that did not become connections, and RENEWs that were refused. */
  get refusals(): number {
    return this.#refusals;
  }

  /** Sockets whose peers are not known yet. */
  get handshakes(): number {
    return this.#handshakes.size;
  }

  /** The port that is listened on; 0 before. */
  get port(): number {
    return (this.#server?.address() as AddressInfo | null)?.port ?? 0;
  }

  /** @throws {ChannelError} ERR_CHANNEL_LISTEN: the address or port cannot be had. */
  async listen(): Promise<void> {
    const { address, port } = this.#options;
    const server = this.#credentials === 'insecure' ? net.createServer() : this.#createSecureServer(this.#credentials);
    server.on('connection', (socket: Socket) => this.#accept(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(address, port, error)));
      server.listen({ port, ...(address === undefined ? {} : { host: address }) }, resolve);
    });
    server.removeAllListeners('error');
    // accept() failed, e.g. out of file descriptors: the server goes on with the sockets it has.
    server.on('error', (error) => this.#options.onFault?.(error));
    this.#server = server;
    this.#scheduleRenewal();
  }

  /** Serves sockets that somebody else has accepted and hands over, see {@link ChannelServer.accept}; instead of {@link ChannelServer.listen}. */
  serve(): void {
    const server = this.#credentials === 'insecure' ? net.createServer() : this.#createSecureServer(this.#credentials);
    server.on('connection', (socket: Socket) => this.#accept(socket));
    this.#server = server;
    this.#scheduleRenewal();
  }

  /** A TCP connection of which nothing was read yet. */
  accept(socket: Socket): void {
    this.#server?.emit('connection', socket);
  }

  /** Uses another certificate for sockets that come from now on. */
  setCredentials(credentials: ServerCredentials): void {
    if (this.#credentials === 'insecure') return;
    this.#credentials = credentials;
    if (this.#server instanceof tls.Server) this.#server.setSecureContext(serverContext(credentials));
  }

  /** Says GOAWAY to all, stops listening, and resolves when the last socket is closed and onClose was told. */
  async close(reason = 'the server ends'): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#renewTimer);
    const server = this.#server;
    const closed = new Promise<void>((resolve) => {
      if (server === undefined) resolve();
      else server.close(() => resolve());
    });
    for (const connection of this.#connections) connection.close(reason);
    for (const handshake of this.#handshakes.values()) handshake.socket.destroy();
    await closed;
    // The server says so a moment before its last sockets do; one that does not listen knows nothing of them.
    while (this.#connections.size > 0) await new Promise((resolve) => setTimeout(resolve, CLOSE_POLL_MS));
  }

  /** Ends a connection whose peer may not, or no longer, use this server. */
  expel(connection: ChannelConnection, message: string): void {
    this.#dismiss(connection, { code: 'forbidden', message });
  }

  /** Ends a connection and tells its peer to connect to another server instead. */
  redirect(connection: ChannelConnection, host: string, port: number): void {
    this.#dismiss(connection, { code: 'redirect', message: `go to ${socketText(host, port)}`, host, port });
  }

  #dismiss(connection: ChannelConnection, goodbye: Goodbye): void {
    for (const known of this.#connections) {
      if (known !== connection) continue;
      const message = `${known.remote} was dismissed (${goodbye.code}): ${goodbye.message}`;
      known.farewell(goodbye, new ChannelError('ERR_CHANNEL_GOAWAY', message));
    }
  }

  #createSecureServer(credentials: ServerCredentials): tls.Server {
    const server = tls.createServer({
      ...serverContext(credentials),
      requestCert: true,
      // A newcomer has no certificate, and a peer with a wrong one is to be told so in words: see #verify.
      rejectUnauthorized: false,
      // Our own timer, which covers HELLO too, is the one that ends it.
      handshakeTimeout: this.#handshakeTimeoutMs * 2,
    });
    server.on('secureConnection', (socket: TLSSocket) => {
      const handshake = this.#handshakes.get(remoteText(socket));
      if (handshake === undefined) socket.destroy();
      else this.#readFrames(handshake, socket, this.#verify(socket));
    });
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      const remote = remoteText(socket);
      // Where the peer is gone already its address is, too: the raw socket's end tells it.
      if (!this.#handshakes.has(remote)) return;
      this.#tell(remote, 'protocol', tlsErrorText(error), error);
      this.#forget(remote);
      socket.destroy();
    });
    return server;
  }

  /** A TCP connection, before TLS. */
  #accept(socket: Socket): void {
    const remote = remoteText(socket);
    socket.on('error', () => {});
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    if (this.#handshakes.size >= this.#handshakesMax) this.#evictOldest();
    const timer = setTimeout(() => this.#timedOut(remote), this.#handshakeTimeoutMs);
    const handshake: Handshake = { remote, socket, timer, connection: undefined };
    this.#handshakes.set(remote, handshake);
    socket.once('close', () => {
      if (this.#handshakes.get(remote) !== handshake || handshake.connection !== undefined) return;
      this.#forget(remote);
      const before = this.#credentials === 'insecure' ? 'before HELLO' : 'during the TLS handshake';
      if (!this.#isClosed) this.#tell(remote, 'protocol', `it left ${before}`);
    });
    if (this.#credentials !== 'insecure') return;
    if (this.#options.foreign === undefined) this.#readFrames(handshake, socket, { identity: undefined });
    else this.#tellApart(handshake, socket, this.#options.foreign);
  }

  /** Reads until it is clear whose protocol the peer speaks. */
  #tellApart(handshake: Handshake, socket: Socket, foreign: ForeignServer): void {
    const { remote } = handshake;
    let first = Buffer.alloc(0);
    const read = (chunk: Buffer): void => {
      first = Buffer.concat([first, chunk]);
      const isForeign = foreign.isForeign(first, first.length);
      if (isForeign === undefined) return;
      socket.off('data', read);
      if (isForeign) {
        this.#forget(remote);
        foreign.accept(socket, remote, first);
      } else {
        this.#readFrames(handshake, socket, { identity: undefined }).read(first, first.length);
      }
    };
    socket.on('data', read);
  }

  #evictOldest(): void {
    for (const [remote, handshake] of this.#handshakes) {
      this.#tell(
        remote,
        'tooManyConnections',
        `${this.#handshakesMax} peers have not said HELLO yet; this one waited longest`,
      );
      this.#forget(remote);
      handshake.socket.destroy();
      return;
    }
  }

  #timedOut(remote: string): void {
    const handshake = this.#handshakes.get(remote);
    if (handshake === undefined) return;
    const message = `no HELLO within ${this.#handshakeTimeoutMs / 1000} s`;
    if (handshake.connection !== undefined) {
      this.#refuse(handshake, handshake.connection, 'handshakeTimeout', message);
      return;
    }
    const what = this.#credentials === 'insecure' ? 'no HELLO' : 'no TLS handshake';
    this.#tell(remote, 'handshakeTimeout', `${what} within ${this.#handshakeTimeoutMs / 1000} s`);
    this.#forget(remote);
    handshake.socket.destroy();
  }

  /** The peer is known, refused or gone. */
  #forget(remote: string): void {
    clearTimeout(this.#handshakes.get(remote)?.timer);
    this.#handshakes.delete(remote);
  }

  #readFrames(handshake: Handshake, socket: Socket, verdict: Verdict): SocketConnection {
    const { remote } = handshake;
    let isFirst = true;
    const connection: SocketConnection = new SocketConnection(
      socket,
      remote,
      this.#options.queueBytesMax ?? QUEUE_BYTES_MAX_DEFAULT,
      {
        onFrame: (type, bytes, offset, length) => {
          if (connection.isOpen) return this.#frame(connection, type, bytes, offset, length);
          // Behind JOIN nothing may come before the answer.
          if (isFirst) this.#firstFrame(handshake, connection, verdict, type, bytes, offset, length);
          else this.#refuse(handshake, connection, 'protocol', `a ${frameName(type)} frame before the answer`);
          isFirst = false;
          return true;
        },
        onGarbage: (header) => {
          this.#refuse(handshake, connection, 'protocol', `not the TrafficCopy protocol: ${garbageText(header)}`);
        },
        onEnd: (reason) => this.#ended(connection, reason),
        onDrain: () => this.#options.onDrain?.(connection),
        onTick: () => this.#checkExpiry(connection),
      },
      this.#options.livenessIntervalMs,
    );
    handshake.connection = connection;
    return connection;
  }

  /** Our authority issued the peer's certificate, it is in its time, and it holds an identity; or why not. */
  #verify(socket: TLSSocket): Verdict {
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) return { identity: undefined };
    const error = socket.authorized ? undefined : String(socket.authorizationError);
    if (error === 'CERT_HAS_EXPIRED' || error === 'CERT_NOT_YET_VALID') {
      const times = `the certificate is valid from ${certificate.validFrom} to ${certificate.validTo}, and the time here is ${new Date().toUTCString()}; check the clocks`;
      // What has not begun will: the clock that issued it was fast, or ours was set back.
      const refusal =
        error === 'CERT_NOT_YET_VALID'
          ? ({ code: 'unavailable', message: times } as const)
          : ({ code: 'certificateExpired', message: `${times}, or join again with a new token` } as const);
      return { identity: undefined, refusal };
    }
    const identity = identityOf(certificate);
    if (error === undefined && identity !== undefined) return { identity };
    const what =
      error === undefined ? 'it holds no TrafficCopy identity' : `this server's authority did not issue it (${error})`;
    const message = `the certificate is not accepted: ${what}; join with a token of this server`;
    return { identity: undefined, refusal: { code: 'certificateUnknown', message } };
  }

  #firstFrame(
    handshake: Handshake,
    connection: SocketConnection,
    verdict: Verdict,
    type: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const version = parsePreamble(bytes, offset, length);
    if (type === FRAME.GOAWAY) {
      this.#forget(handshake.remote);
      this.#options.onLook?.(handshake.remote);
      connection.destroy(new ChannelError('ERR_CHANNEL_GOAWAY', `${handshake.remote} has only looked`));
    } else if (type === TCPCOPY_TYPE && length === 0) {
      this.#refuse(handshake, connection, 'protocol', TCPCOPY_TEXT);
    } else if (type !== FRAME.HELLO && type !== FRAME.JOIN) {
      this.#refuse(handshake, connection, 'protocol', `the first frame must be HELLO or JOIN, not ${frameName(type)}`);
    } else if (version === undefined) {
      this.#refuse(handshake, connection, 'protocol', `${frameName(type)} does not begin with the magic and a version`);
    } else if (version.major !== CHANNEL_VERSION.major) {
      const message = `protocol version ${version.major}.${version.minor} is not served here, only ${CHANNEL_VERSION.major}.x; use the same release of TrafficCopy on both sides`;
      this.#refuse(handshake, connection, 'version', message);
    } else if (type === FRAME.JOIN) {
      this.#join(handshake, connection, bytes, offset, length);
    } else {
      this.#hello(handshake, connection, verdict, parseHello(bytes, offset, length));
    }
  }

  #hello(handshake: Handshake, connection: SocketConnection, verdict: Verdict, hello: Hello | undefined): void {
    const refusal =
      hello === undefined
        ? { code: 'protocol' as const, message: 'HELLO cannot be read' }
        : this.#judge(connection.remote, verdict, hello);
    if (hello === undefined || refusal !== undefined) {
      this.#refuse(handshake, connection, refusal!.code, refusal!.message);
      return;
    }
    this.#forget(handshake.remote);
    connection.sendControl(FRAME.WELCOME, encodeHello({ ...this.#options.hello, version: CHANNEL_VERSION }));
    connection.open(hello, verdict.identity);
    this.#connections.add(connection);
    this.#options.onConnection(connection);
  }

  /** Why a peer that says HELLO is not let in; undefined when it is. */
  #judge(remote: string, verdict: Verdict, hello: Hello): GrantRefusal | undefined {
    const { identity, refusal } = verdict;
    if (refusal !== undefined) return refusal;
    if (this.#credentials !== 'insecure' && identity === undefined) {
      return { code: 'certificateRequired', message: 'no client certificate; join with a token of this server first' };
    }
    if (identity !== undefined && identity.role !== hello.role) {
      return { code: 'role', message: `HELLO says ${hello.role}, the certificate says ${identity.role}` };
    }
    if (!(this.#options.clientRoles ?? ['copy', 'operator']).includes(hello.role)) {
      return { code: 'role', message: `the role ${hello.role} is not served here` };
    }
    const connectionsMax = this.#options.connectionsMax ?? CONNECTIONS_MAX_DEFAULT;
    if (this.#connections.size >= connectionsMax) {
      return { code: 'tooManyConnections', message: `${connectionsMax} connections are open, the limit` };
    }
    return this.#options.authorize?.(hello, identity, remote);
  }

  #join(handshake: Handshake, connection: SocketConnection, bytes: Uint8Array, offset: number, length: number): void {
    const authority = this.#options.authority;
    const request = parseJoinRequest(bytes, offset, length);
    if (this.#credentials === 'insecure' || authority === undefined) {
      const why = this.#credentials === 'insecure' ? 'it is --insecure' : 'it is no authority';
      this.#refuse(handshake, connection, 'joinUnavailable', `this server issues no certificates: ${why}`);
      return;
    }
    if (request === undefined) {
      this.#refuse(handshake, connection, 'protocol', 'JOIN cannot be read');
      return;
    }
    authority.join(request, connection.remote).then(
      (answer) => {
        if ('code' in answer) {
          this.#refuse(handshake, connection, answer.code, answer.message);
          return;
        }
        this.#forget(handshake.remote);
        const identity = identityOf(new X509Certificate(answer.certificate));
        if (identity !== undefined) this.#options.onJoin?.(identity, connection.remote);
        const reason = new ChannelError('ERR_CHANNEL_GOAWAY', `${connection.remote} has joined`);
        connection.endWith(FRAME.JOINED, encodeCertificateGrant(answer), reason);
      },
      (error: unknown) => {
        this.#options.onFault?.(error as Error);
        this.#refuse(handshake, connection, 'unavailable', 'the authority failed; its log says why');
      },
    );
  }

  #frame(connection: SocketConnection, type: number, bytes: Uint8Array, offset: number, length: number): boolean {
    if (type === FRAME.RENEW) this.#renew(connection, bytes, offset, length);
    else this.#options.onFrame(connection, type, bytes, offset, length);
    return true;
  }

  #renew(connection: SocketConnection, bytes: Uint8Array, offset: number, length: number): void {
    const authority = this.#options.authority;
    const identity = connection.identity;
    const request = parseRenewRequest(bytes, offset, length);
    if (authority === undefined || identity === undefined || request === undefined) {
      const message = request === undefined ? 'RENEW cannot be read' : 'this server issues no certificates';
      this.#refuseRenewal(connection, request === undefined ? 'protocol' : 'joinUnavailable', message);
      return;
    }
    authority.renew(identity, request.certificateRequest).then(
      (answer) => {
        if ('code' in answer) {
          this.#refuseRenewal(connection, answer.code, answer.message);
          return;
        }
        connection.extendIdentity(certificateLifetime(answer.certificate).notAfterMs);
        connection.sendControl(FRAME.RENEWED, encodeCertificateGrant(answer));
      },
      (error: unknown) => {
        this.#options.onFault?.(error as Error);
        this.#refuseRenewal(connection, 'unavailable', 'the authority failed; its log says why');
      },
    );
  }

  /** The connection goes on: its certificate still has half of its life. */
  #refuseRenewal(connection: SocketConnection, code: RefusalCode, message: string): void {
    this.#tell(connection.remote, code, `no renewal: ${message}`);
    connection.sendControl(FRAME.REFUSED, encodeRefusal(code, message));
  }

  #checkExpiry(connection: SocketConnection): void {
    const identity = connection.identity;
    if (identity === undefined || Date.now() < identity.notAfterMs) return;
    const message = 'the certificate has ended and was not renewed; join again with a new token';
    connection.farewell(
      { code: 'certificateExpired', message },
      new ChannelError('ERR_CHANNEL_GOAWAY', `${connection.remote}: ${message}`),
    );
  }

  #ended(connection: SocketConnection, reason: ChannelError): void {
    if (this.#connections.delete(connection)) {
      this.#options.onClose(connection, reason);
    } else if (this.#handshakes.get(connection.remote)?.connection === connection) {
      this.#forget(connection.remote);
      if (!this.#isClosed)
        this.#tell(connection.remote, 'protocol', `it left without HELLO: ${reason.message}`, reason);
    }
  }

  #refuse(handshake: Handshake, connection: SocketConnection, code: RefusalCode, message: string): void {
    if (!this.#handshakes.has(handshake.remote)) return;
    this.#forget(handshake.remote);
    const error = this.#tell(handshake.remote, code, message);
    connection.endWith(FRAME.REFUSED, encodeRefusal(code, message), error);
  }

  #tell(remote: string, refusal: RefusalCode, message: string, cause?: Error): ChannelError {
    const error = new ChannelError('ERR_CHANNEL_PEER_REFUSED', `${refusal}: ${message}`, {
      refusal,
      cause,
    });
    this.#refusals += 1;
    const second = Math.floor(Date.now() / 1000);
    if (second !== this.#tellSecond) {
      this.#tellSecond = second;
      this.#toldInSecond = 0;
    }
    this.#toldInSecond += 1;
    if (this.#toldInSecond <= REFUSALS_TOLD_MAX) this.#options.onRefusal?.(error, remote);
    return error;
  }

  /** At half of the lifetime of the own certificate. */
  #scheduleRenewal(): void {
    const authority = this.#options.authority;
    if (this.#credentials === 'insecure' || authority === undefined || this.#isClosed) return;
    const { notBeforeMs, notAfterMs } = certificateLifetime(this.#credentials.certificate);
    const dueMs = (notBeforeMs + notAfterMs) / 2 - Date.now();
    this.#renewTimer = setTimeout(
      () => {
        if (dueMs > RENEWAL_CHECK_MS) {
          this.#scheduleRenewal();
          return;
        }
        authority
          .serverCredentials()
          .then(
            (credentials) => this.setCredentials(credentials),
            (error: unknown) => this.#options.onFault?.(error as Error),
          )
          .finally(() => this.#scheduleRenewal());
      },
      Math.min(Math.max(dueMs, RENEWAL_DELAY_MS_MIN), RENEWAL_CHECK_MS),
    );
    this.#renewTimer.unref();
  }
}

function serverContext(credentials: ServerCredentials): tls.SecureContextOptions {
  return {
    ...TLS_OPTIONS,
    key: credentials.key,
    cert: `${credentials.certificate.trim()}\n${credentials.authority.trim()}\n`,
    ca: credentials.authority,
  };
}

/** Why an address or port cannot be had. */
export function listenError(address: string | undefined, port: number, cause: NodeJS.ErrnoException): ChannelError {
  const where = socketText(address ?? '*', port);
  const hint =
    cause.code === 'EADDRINUSE'
      ? 'another program listens there (end it, or choose another port), or an outgoing connection has the port just now (try again; net.ipv4.ip_local_reserved_ports keeps it free)'
      : cause.code === 'EADDRNOTAVAIL'
        ? 'no interface of this host has that address'
        : cause.code === 'EACCES'
          ? 'ports below 1024 need CAP_NET_BIND_SERVICE'
          : cause.message;
  return new ChannelError('ERR_CHANNEL_LISTEN', `cannot listen on ${where}: ${hint} (${cause.code})`, { cause });
}

function tlsErrorText(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ERR_SSL_HTTP_REQUEST':
      return 'it speaks HTTP, not TLS';
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
    case 'ERR_SSL_RECORD_LAYER_FAILURE':
      return `it does not speak TLS; is it --insecure, or another program? (${error.code})`;
    case 'ERR_SSL_UNSUPPORTED_PROTOCOL':
    case 'ERR_SSL_NO_SHARED_CIPHER':
      return `it offers no TLS 1.3 (${error.code})`;
    default:
      return `the TLS handshake failed: ${error.message} (${error.code})`;
  }
}
