/** The HTTP server of `--metrics`: /metrics, /healthz and /readyz, for GET and HEAD. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { formatSocketAddress, type SocketAddress } from '../cli/values/socket-address-value.js';
import { StartError } from '../errors/start-error.js';

const CONNECTIONS_MAX = 64;
const REQUEST_TIMEOUT_MS = 5000;
const HEADER_BYTES_MAX = 8192;

export interface MetricsServerOptions {
  /** Port 0 (tests): any free one; `port` tells which. */
  readonly address: SocketAddress;
  readonly registry: Registry;
  /** Undefined when ready, else why not: what /readyz says, with status 503. */
  readonly readiness: () => string | undefined;
  /** Asks those for their figures who have them, before /metrics is read. */
  readonly refresh?: (() => Promise<void>) | undefined;
}

export class MetricsServer {
  readonly #server: Server;
  readonly #address: SocketAddress;

  constructor(options: MetricsServerOptions) {
    this.#address = options.address;
    this.#server = createServer(
      { maxHeaderSize: HEADER_BYTES_MAX, requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
      (request, response) => {
        answer(request, response, options).catch(() => response.destroy());
      },
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** The port that it listens on. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** @throws StartError ERR_START_METRICS when the address cannot be had. */
  async listen(): Promise<void> {
    const { host, port } = this.#address;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(this.#address, error)));
      this.#server.listen({ host, port, exclusive: true }, resolve);
    });
    this.#server.removeAllListeners('error');
    // Nothing about serving figures may end the program.
    this.#server.on('error', () => {});
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { registry, readiness, refresh }: MetricsServerOptions,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    send(response, 405, 'only GET and HEAD\n');
    return;
  }
  const path = (request.url ?? '/').split('?', 1)[0];
  if (path === '/metrics') {
    await refresh?.();
    send(response, 200, await registry.metrics(), registry.contentType);
  } else if (path === '/healthz') {
    send(response, 200, 'ok\n');
  } else if (path === '/readyz') {
    const reason = readiness();
    send(response, reason === undefined ? 200 : 503, `${reason ?? 'ok'}\n`);
  } else {
    send(response, 404, 'here are /metrics, /healthz and /readyz\n');
  }
}

function send(response: ServerResponse, status: number, body: string, contentType = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  });
  response.end(body);
}

const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use: choose another one, or end the program that has it',
  EACCES: 'the port is reserved: choose one above 1023',
  EADDRNOTAVAIL: 'this host has no such address: name one of its own, 127.0.0.1, 0.0.0.0 or [::]',
  ENOTFOUND: 'the host name is unknown: name an address of this host',
};

function listenError(address: SocketAddress, error: NodeJS.ErrnoException): StartError {
  const code = error.code ?? 'unknown error';
  return new StartError(
    'ERR_START_METRICS',
    `--metrics: cannot listen on ${formatSocketAddress(address)} (${code}): ${ADVICE[code] ?? error.message}`,
    { cause: error },
  );
}
