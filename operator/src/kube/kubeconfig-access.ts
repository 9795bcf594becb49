import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import type { KubeAccess } from './kube-access.js';

/** What a kubeconfig says: certificates, tokens, programs that give tokens, proxies. */
export class KubeconfigAccess implements KubeAccess {
  readonly #config: KubeConfig;

  private constructor(config: KubeConfig) {
    this.#config = config;
  }

  /** From KUBECONFIG, else from the home directory, else from the pod. @throws Error of the library: it cannot be read */
  static async load(): Promise<KubeconfigAccess> {
    const { KubeConfig } = await import('@kubernetes/client-node');
    const config = new KubeConfig();
    config.loadFromDefault();
    return new KubeconfigAccess(config);
  }

  get server(): string {
    return this.#config.getCurrentCluster()?.server ?? '';
  }

  async options(): Promise<RequestOptions> {
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options);
    // The library's agent opens a connection for each request; it is only needed for proxies.
    if (this.#config.getCurrentCluster()?.proxyUrl === undefined) delete options.agent;
    return options;
  }
}
