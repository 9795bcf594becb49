import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { ClusterError } from './cluster-error.js';
import type { KubeObject } from './kube-object.js';
import { type Kind, pathOf, resourcePath } from './resource-path.js';

const REQUEST_TIMEOUT_MS = 20_000;
const FIELD_MANAGER = 'trafficcopy-e2e';

export const POD: Kind = { apiVersion: 'v1', kind: 'Pod' };
export const NODE: Kind = { apiVersion: 'v1', kind: 'Node' };
export const DEPLOYMENT: Kind = { apiVersion: 'apps/v1', kind: 'Deployment' };
export const TRAFFIC_COPY: Kind = { apiVersion: 'trafficcopy.dev/v1alpha1', kind: 'TrafficCopy' };

/** The API server as a test uses it: plain objects in and out, and the server's own words when it refuses. */
export class Cluster {
  readonly #server: URL;
  readonly #options: RequestOptions;

  private constructor(server: URL, options: RequestOptions) {
    this.#server = server;
    this.#options = options;
  }

  /** The cluster that KUBECONFIG names. */
  static async connect(): Promise<Cluster> {
    const config = new KubeConfig();
    config.loadFromDefault();
    const server = config.getCurrentCluster()?.server;
    if (server === undefined) throw new ClusterError(0, 'KUBECONFIG names no cluster');
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    const { ca, cert, key } = options;
    const tls = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
    const agent = new Agent({ keepAlive: true, maxSockets: 32, ...tls });
    return new Cluster(new URL(server), { ...options, agent });
  }

  /** Asks the API server; `body` is sent as JSON. Throws ClusterError with the server's message. */
  async request(method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<string> {
    return new Promise((resolve, reject) => {
      const url = new URL(path, this.#server);
      const request = httpsRequest(url, { ...this.#options, method, timeout: REQUEST_TIMEOUT_MS }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', (error) => reject(new ClusterError(0, `${method} ${path}: ${error.message}`)));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          const status = response.statusCode ?? 0;
          if (status < 300) resolve(text);
          else reject(new ClusterError(status, `${method} ${path}: ${status} ${wordsOf(text)}`));
        });
      });
      request.on('timeout', () => request.destroy(new Error(`no answer in ${REQUEST_TIMEOUT_MS} ms`)));
      request.on('error', (error) => reject(new ClusterError(0, `${method} ${path}: ${error.message}`)));
      request.setHeader('accept', 'application/json');
      if (body !== undefined) request.setHeader('content-type', contentType);
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** Server-side apply. */
  async apply(...objects: readonly KubeObject[]): Promise<void> {
    for (const object of objects) await this.applied(object);
  }

  async applied(object: KubeObject, query = ''): Promise<KubeObject> {
    const path = `${pathOf(object)}?fieldManager=${FIELD_MANAGER}&force=true${query}`;
    return JSON.parse(await this.request('PATCH', path, object, 'application/apply-patch+yaml'));
  }

  async create(object: KubeObject): Promise<KubeObject> {
    const path = resourcePath(object, object.metadata.namespace);
    return JSON.parse(await this.request('POST', path, object));
  }

  async read(kind: Kind, namespace: string | undefined, name: string): Promise<KubeObject> {
    return JSON.parse(await this.request('GET', resourcePath(kind, namespace, name)));
  }

  /** The object, or undefined when it does not exist. */
  async find(kind: Kind, namespace: string | undefined, name: string): Promise<KubeObject | undefined> {
    try {
      return await this.read(kind, namespace, name);
    } catch (error) {
      if (error instanceof ClusterError && error.status === 404) return undefined;
      throw error;
    }
  }

  async list(kind: Kind, namespace?: string, labels = ''): Promise<KubeObject[]> {
    const path = `${resourcePath(kind, namespace)}?labelSelector=${encodeURIComponent(labels)}`;
    return JSON.parse(await this.request('GET', path)).items;
  }

  /** JSON merge patch: null removes. */
  async merge(kind: Kind, namespace: string | undefined, name: string, patch: unknown, part = ''): Promise<KubeObject> {
    const path = `${resourcePath(kind, namespace, name)}${part}`;
    return JSON.parse(await this.request('PATCH', path, patch, 'application/merge-patch+json'));
  }

  /** Asks for the removal; an object that is not there is removed. */
  async remove(kind: Kind, namespace: string | undefined, name: string, query = ''): Promise<void> {
    try {
      await this.request('DELETE', `${resourcePath(kind, namespace, name)}${query}`);
    } catch (error) {
      if (!(error instanceof ClusterError && error.status === 404)) throw error;
    }
  }

  /** An HTTP request to a port of a pod, by way of the API server. */
  async askPod(namespace: string, pod: string, port: number, path: string, method = 'GET'): Promise<string> {
    return this.request(method, `${resourcePath(POD, namespace, pod)}:${port}/proxy/${path}`);
  }

  async logs(namespace: string, pod: string, container: string, query = ''): Promise<string> {
    return this.request('GET', `${resourcePath(POD, namespace, pod)}/log?container=${container}${query}`);
  }
}

function wordsOf(text: string): string {
  try {
    const status = JSON.parse(text);
    return typeof status.message === 'string' ? status.message : text;
  } catch {
    return text.slice(0, 500);
  }
}
