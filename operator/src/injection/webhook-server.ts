import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { StartError } from '@trafficcopy/runtime';
import { judgePod, type PodReview, type PodVerdict, readPodReview, reviewAnswer } from './pod-review.js';
import type { ReviewOutcome } from './review-outcome.js';
import type { SidecarOrder } from './sidecar-order.js';
import { WEBHOOK_PATH } from './webhook-configuration.js';

/** PEM. */
export interface WebhookCredentials {
  readonly key: string;
  readonly certificate: string;
}

export interface WebhookServerOptions {
  /** 0 (tests): any free one; `port` tells which. */
  readonly port: number;
  /** All addresses when left out. */
  readonly host?: string;
  readonly credentials: WebhookCredentials;
  /** By UID of the TrafficCopy, from memory: the API server waits. Undefined: it wants no sidecars. */
  readonly orderOf: (uid: string) => SidecarOrder | undefined;
  /** Told about every answered review. */
  readonly onReview?: (outcome: ReviewOutcome) => void;
}

/** The API server sends no object beyond 3 MiB, and little around it. */
const BODY_BYTES_MAX = 4 * 1024 * 1024;
/** The API server gives up after 2 s; what comes later is nobody's. */
const REQUEST_TIMEOUT_MS = 2000;
const HEADER_BYTES_MAX = 16_384;
const CONNECTIONS_MAX = 256;

/**
 * The HTTPS server that the API server asks about new pods. Every readable question is answered "allowed"; for anything
 * else the API server's failurePolicy Ignore does the same.
 */
export class WebhookServer {
  readonly #server: Server;
  readonly #options: WebhookServerOptions;

  constructor(options: WebhookServerOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        ...tlsOf(options.credentials),
        minVersion: 'TLSv1.2',
        maxHeaderSize: HEADER_BYTES_MAX,
        requestTimeout: REQUEST_TIMEOUT_MS,
        headersTimeout: REQUEST_TIMEOUT_MS,
        connectionsCheckingInterval: REQUEST_TIMEOUT_MS / 2,
      },
      (request, response) => {
        this.#answer(request, response).catch(() => response.destroy());
      },
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** @throws StartError ERR_START_WEBHOOK when the port cannot be had. */
  async listen(): Promise<void> {
    const { port, host } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause) => {
        const message = `cannot listen on port ${port} for the webhook: ${cause.message}`;
        reject(new StartError('ERR_START_WEBHOOK', message, { cause }));
      });
      this.#server.listen({ port, ...(host === undefined ? {} : { host }) }, resolve);
    });
    this.#server.removeAllListeners('error');
    this.#server.on('error', () => {});
    this.#server.on('clientError', (_error, socket) => socket.destroy());
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy());
  }

  /** For connections from now on; those that are open go on with what they have. */
  renew(credentials: WebhookCredentials): void {
    this.#server.setSecureContext(tlsOf(credentials));
  }

  /** Answers what is being asked, then ends. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    if (request.method === 'GET' && path === '/healthz') return send(response, 200, 'ok\n');
    if (request.method !== 'POST' || !path.startsWith(WEBHOOK_PATH)) return send(response, 404, 'not here\n');
    const body = await readBody(request);
    if (body === undefined) return send(response, 413, `a review has at most ${BODY_BYTES_MAX} octets\n`);
    const review = readPodReview(parseJson(body));
    if (review === undefined) return send(response, 400, 'no AdmissionReview of admission.k8s.io/v1\n');
    const verdict = this.#judge(review, path.slice(WEBHOOK_PATH.length));
    send(response, 200, JSON.stringify(reviewAnswer(review.uid, verdict)), 'application/json');
    this.#options.onReview?.(verdict.outcome);
  }

  #judge(review: PodReview, uid: string): PodVerdict {
    try {
      return judgePod(review, this.#options.orderOf(uid));
    } catch {
      // Of a fault of ours a pod of production must not hear.
      return { outcome: 'NotUnderstood' };
    }
  }
}

function tlsOf({ key, certificate }: WebhookCredentials): { readonly key: string; readonly cert: string } {
  return { key, cert: certificate };
}

/** @returns undefined when there is too much of it. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > BODY_BYTES_MAX) return undefined;
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > BODY_BYTES_MAX) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, status: number, body: string, contentType = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}
