import { until } from '../until.js';
import type { Cluster } from './cluster.js';

const NAMESPACE = { apiVersion: 'v1', kind: 'Namespace' };
const REMOVAL_MS = 120_000;

export interface NamespaceOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A namespace that a test made. What an earlier run left under its name is removed first. */
export class TestNamespace {
  readonly name: string;
  readonly #cluster: Cluster;

  private constructor(cluster: Cluster, name: string) {
    this.#cluster = cluster;
    this.name = name;
  }

  static async create(cluster: Cluster, part: string, options: NamespaceOptions = {}): Promise<TestNamespace> {
    const namespace = new TestNamespace(cluster, `e2e-${part}`);
    await namespace.remove();
    const labels = { 'app.kubernetes.io/part-of': 'trafficcopy-e2e', ...options.labels };
    const annotations = options.annotations ?? {};
    await cluster.create({ ...NAMESPACE, metadata: { name: namespace.name, labels, annotations } });
    return namespace;
  }

  async remove(): Promise<void> {
    await this.#cluster.remove(NAMESPACE, undefined, this.name);
    await until(`namespace ${this.name} is gone`, REMOVAL_MS, async () => {
      return (await this.#cluster.find(NAMESPACE, undefined, this.name)) === undefined;
    });
  }
}
