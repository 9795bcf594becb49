import { fileURLToPath } from 'node:url';
import { expectCommand, runCommand } from '@trafficcopy/lab';
import { type Cluster, POD } from '../cluster/cluster.js';
import type { KubeObject } from '../cluster/kube-object.js';
import { imageOf } from '../shop/image.js';

export const SYSTEM_NAMESPACE = 'trafficcopy-system';
const RELEASE = 'trafficcopy';
const CHART = fileURLToPath(new URL('../../../../charts/trafficcopy', import.meta.url));
const HELM_MS = 180_000;

/** The product as a user installs it: by its chart, with the images that were built from this tree. */
export class Installation {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** `helm upgrade --install`, until everything is ready; `settings` as after `--set`. */
  async install(settings: Readonly<Record<string, string>> = {}): Promise<void> {
    const labels = { 'pod-security.kubernetes.io/enforce': 'privileged' };
    await this.#cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: SYSTEM_NAMESPACE, labels } });
    const all = { ...imageSettings(), ...(await this.#imageIds()), ...settings };
    const set = Object.entries(all).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
    await helm(['upgrade', '--install', RELEASE, CHART, '--wait', '--timeout', `${HELM_MS / 1000}s`, ...set]);
  }

  /** Does nothing when it is installed already; then it is as the test before left it. */
  async ensure(): Promise<void> {
    if (!(await this.isInstalled())) await this.install();
  }

  /** Images of the same name and other content make other pods. */
  async #imageIds(): Promise<Record<string, string>> {
    const kind = { apiVersion: 'v1', kind: 'ConfigMap' };
    const loaded: Record<string, string> =
      (await this.#cluster.find(kind, 'kube-system', 'e2e-images'))?.['data'] ?? {};
    const idOf = (part: string): string => (loaded[`trafficcopy-${part}_dev`] ?? 'unknown').slice(0, 20);
    return {
      'operator.podAnnotations.e2e-images': `${idOf('operator')}-${idOf('copy')}`,
      'intercept.podAnnotations.e2e-images': idOf('intercept'),
    };
  }

  async isInstalled(): Promise<boolean> {
    const { status, stdout } = await runCommand('helm', ['-n', SYSTEM_NAMESPACE, 'status', RELEASE, '-o', 'json']);
    return status === 0 && JSON.parse(stdout).info.status === 'deployed';
  }

  async uninstall(): Promise<void> {
    if (await this.isInstalled()) await helm(['uninstall', RELEASE, '--wait', '--timeout', `${HELM_MS / 1000}s`]);
  }

  async test(): Promise<string> {
    return helm(['test', RELEASE, '--logs', '--timeout', `${HELM_MS / 1000}s`]);
  }

  /** Pods of one of its parts: operator, intercept. */
  async pods(component: 'operator' | 'intercept'): Promise<KubeObject[]> {
    const pods = await this.#cluster.list(POD, SYSTEM_NAMESPACE, `app.kubernetes.io/component=${component}`);
    return pods.filter((pod) => pod.metadata.deletionTimestamp === undefined);
  }

  /** The operator pod that holds the lease. */
  async leader(): Promise<KubeObject> {
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };
    const { spec } = await this.#cluster.read(lease, SYSTEM_NAMESPACE, 'trafficcopy-operator');
    const pods = await this.pods('operator');
    const leader = pods.find((pod) => String(spec.holderIdentity).includes(pod.metadata.name));
    if (leader === undefined) throw new Error(`the lease is held by ${spec.holderIdentity}, which is no pod`);
    return leader;
  }

  /** The operator's metrics, by name with labels. */
  async metrics(pod: KubeObject): Promise<Map<string, number>> {
    const text = await this.#cluster.askPod(SYSTEM_NAMESPACE, pod.metadata.name, 8080, 'metrics');
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(
      lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
    );
  }
}

function imageSettings(): Record<string, string> {
  const [registry, tag] = imageOf('trafficcopy').split('/trafficcopy:');
  return { 'image.registry': registry ?? '', 'image.tag': tag ?? '' };
}

function helm(args: readonly string[]): Promise<string> {
  return expectCommand('helm', ['--namespace', SYSTEM_NAMESPACE, ...args], { timeoutMs: HELM_MS + 20_000 });
}
