import { existsSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage, Agent as PlainAgent } from 'node:http';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import path from 'node:path';
import { InClusterAccess } from './in-cluster-access.js';
import type { KubeAccess } from './kube-access.js';
import { KubeUnavailableError } from './kube-error.js';
import { KubeconfigAccess } from './kubeconfig-access.js';

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

/** HTTP to the API server. */
export class KubeConnection {
  readonly #access: KubeAccess;
  /** Requests share sockets; a watch holds its own as long as it lasts. */
  readonly #agent = new Agent({ keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS, maxSockets: SOCKETS_MAX });
  readonly #watchAgent = new Agent({ keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS });
  readonly #plainAgent = new PlainAgent({ keepAlive: true, maxSockets: SOCKETS_MAX });

  constructor(access: KubeAccess) {
    this.#access = access;
  }

  /** From KUBECONFIG, the home directory, or the pod, whichever is there first. @throws Error: a kubeconfig cannot be read */
  static async fromEnvironment(
    env: Readonly<Record<string, string | undefined>> = process.env,
  ): Promise<KubeConnection> {
    const hasKubeconfig = env['KUBECONFIG'] !== undefined || existsSync(path.join(homedir(), '.kube', 'config'));
    const access = hasKubeconfig ? undefined : InClusterAccess.find(env);
    return new KubeConnection(access ?? (await KubeconfigAccess.load()));
  }

  get server(): string {
    return this.#access.server;
  }

  /**
   * The answer, its body not read yet.
   * @throws KubeUnavailableError: there was none.
   */
  async request(
    what: string,
    { method, path: target, contentType, body, signal, timeoutMs }: KubeHttpRequest,
  ): Promise<IncomingMessage> {
    const url = new URL(this.server + target);
    const options = await this.#optionsFor(what, target.includes('watch=true'));
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
    this.#plainAgent.destroy();
  }

  async #optionsFor(what: string, isWatch: boolean): Promise<RequestOptions> {
    try {
      const options = await this.#access.options();
      options.agent ??= this.#agentFor(isWatch);
      return options;
    } catch (cause) {
      throw new KubeUnavailableError(0, `${what}: no credentials (${(cause as Error).message})`, undefined, { cause });
    }
  }

  #agentFor(isWatch: boolean): Agent | PlainAgent | undefined {
    if (!this.server.startsWith('https:')) return isWatch ? undefined : this.#plainAgent;
    return isWatch ? this.#watchAgent : this.#agent;
  }
}
