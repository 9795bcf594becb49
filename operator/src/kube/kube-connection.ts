import { request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { KubeUnavailableError } from './kube-error.js';

export interface KubeHttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With the query. */
  readonly path: string;
  readonly contentType?: string | undefined;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For the head of the answer. */
  readonly timeoutMs: number;
}

const SOCKETS_MAX = 16;
const KEEP_ALIVE_MS = 15_000;

/** Where the API server is, who we are there, and HTTP to it: from KUBECONFIG or a home directory, else from within the cluster. */
export class KubeConnection {
  readonly #config: KubeConfig;
  /** Requests share sockets; a watch holds its own as long as it lasts. */
  readonly #agent = new Agent({ keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS, maxSockets: SOCKETS_MAX });
  readonly #watchAgent = new Agent({ keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS });

  constructor(config: KubeConfig) {
    this.#config = config;
  }

  /** @throws Error of the library, when a kubeconfig cannot be read. */
  static fromEnvironment(): KubeConnection {
    const config = new KubeConfig();
    config.loadFromDefault();
    return new KubeConnection(config);
  }

  /** The namespace of the kubeconfig's context. */
  get namespace(): string | undefined {
    const context = this.#config.getContextObject(this.#config.getCurrentContext());
    return context?.namespace;
  }

  get server(): string {
    return this.#config.getCurrentCluster()?.server ?? '';
  }

  /**
   * The answer, its body not read yet.
   * @throws KubeUnavailableError: there was none.
   */
  async request(
    what: string,
    { method, path, contentType, body, signal, timeoutMs }: KubeHttpRequest,
  ): Promise<IncomingMessage> {
    const url = new URL(this.server + path);
    const options = await this.#optionsFor(what, path.includes('watch=true'));
    const headers: Record<string, string | number> = {
      ...(options.headers as Record<string, string>),
      Accept: 'application/json',
    };
    if (body !== undefined) {
      headers['Content-Type'] = contentType ?? 'application/json';
      headers['Content-Length'] = Buffer.byteLength(body);
    }
    return await new Promise((resolve, reject) => {
      const fail = (cause: Error): void =>
        reject(
          new KubeUnavailableError(0, `${what}: no answer of ${url.host} (${cause.message})`, undefined, { cause }),
        );
      const open = url.protocol === 'http:' ? httpRequest : httpsRequest;
      const call = open(
        url,
        { ...options, method, headers, ...(signal === undefined ? {} : { signal }) },
        (response) => {
          clearTimeout(timer);
          resolve(response);
        },
      );
      const timer = setTimeout(() => call.destroy(new Error(`none within ${timeoutMs} ms`)), timeoutMs);
      call.on('error', (error) => {
        clearTimeout(timer);
        fail(error);
      });
      call.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
    this.#watchAgent.destroy();
  }

  async #optionsFor(what: string, isWatch: boolean): Promise<RequestOptions> {
    const options: RequestOptions = {};
    try {
      await this.#config.applyToHTTPSOptions(options);
    } catch (cause) {
      throw new KubeUnavailableError(0, `${what}: no credentials (${(cause as Error).message})`, undefined, { cause });
    }
    // The library's agent opens a connection for each request; it is only needed for proxies.
    const cluster = this.#config.getCurrentCluster();
    if (cluster?.proxyUrl === undefined && cluster?.server.startsWith('https:')) {
      options.agent = isWatch ? this.#watchAgent : this.#agent;
    }
    return options;
  }
}
