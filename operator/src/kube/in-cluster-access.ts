import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import path from 'node:path';
import { formatSocketAddress } from '@trafficcopy/runtime';
import type { KubeAccess } from './kube-access.js';

const DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The kubelet replaces the token long before it ends. */
const READ_AGAIN_MS = 60_000;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The pod's own service account. The client library can do this too, but costs 85 MB of memory for models of every object of Kubernetes, in each replica; so it
 * is loaded only where there is a kubeconfig.
 */
export class InClusterAccess implements KubeAccess {
  readonly server: string;
  readonly #directory: string;
  #options: RequestOptions | undefined;
  #readAtMs = 0;

  private constructor(server: string, directory: string) {
    this.server = server;
    this.#directory = directory;
  }

  /** Undefined outside of a pod. */
  static find(env: Environment, directory: string = DIRECTORY): InClusterAccess | undefined {
    const host = env['KUBERNETES_SERVICE_HOST'];
    const port = Number(env['KUBERNETES_SERVICE_PORT'] ?? 443);
    if (host === undefined || !existsSync(path.join(directory, 'token'))) return undefined;
    return new InClusterAccess(`https://${formatSocketAddress({ host, port })}`, directory);
  }

  async options(): Promise<RequestOptions> {
    const nowMs = Date.now();
    if (this.#options === undefined || nowMs - this.#readAtMs > READ_AGAIN_MS) {
      const [token, ca] = await Promise.all(['token', 'ca.crt'].map((name) => this.#read(name)));
      this.#options = { ca, headers: { Authorization: `Bearer ${token?.trim()}` } };
      this.#readAtMs = nowMs;
    }
    return { ...this.#options };
  }

  async #read(name: string): Promise<string> {
    return await readFile(path.join(this.#directory, name), 'utf8');
  }
}
