import { type Cluster, DEPLOYMENT, POD } from '../cluster/cluster.js';
import type { KubeObject } from '../cluster/kube-object.js';
import { until } from '../until.js';
import { imageOf } from './image.js';
import { RequestAccount } from './request-account.js';

export const CONTROL_PORT = 9900;
const READY_MS = 120_000;

export interface ShopOptions {
  readonly replicas?: number;
  readonly version?: 1 | 2;
  /** More containers beside the application. */
  readonly containers?: readonly unknown[];
  readonly podLabels?: Readonly<Record<string, string>>;
  /** More of the pod's spec, such as nodeName. */
  readonly podSpec?: Readonly<Record<string, unknown>>;
  /** Port of the Service; the application itself listens on 8080. */
  readonly port?: number;
  readonly idsMax?: number;
  /** CPU request of the application. Production has one, so that copies get only what it leaves. */
  readonly cpu?: string;
}

export interface ShopTotals {
  readonly requests: number;
  readonly distinct: number;
  readonly twice: number;
}

/** The shop's HTTP service as a Deployment with a Service: what is copied, or where it is copied to. */
export class ShopService {
  readonly name: string;
  readonly namespace: string;
  readonly #cluster: Cluster;
  readonly #options: ShopOptions;

  constructor(cluster: Cluster, namespace: string, name: string, options: ShopOptions = {}) {
    this.#cluster = cluster;
    this.namespace = namespace;
    this.name = name;
    this.#options = options;
  }

  get labels(): Readonly<Record<string, string>> {
    return { app: this.name };
  }

  get deployment(): KubeObject {
    const {
      replicas = 1,
      version = 1,
      containers = [],
      podLabels = {},
      podSpec = {},
      idsMax = 2_000_000,
      cpu = '10m',
    } = this.#options;
    const application = {
      name: 'application',
      image: imageOf('trafficcopy-e2e'),
      imagePullPolicy: 'IfNotPresent',
      args: ['http-service', '--port=8080', `--version=${version}`, `--ids-max=${idsMax}`],
      ports: [{ name: 'http', containerPort: 8080 }],
      readinessProbe: { httpGet: { path: '/healthz', port: CONTROL_PORT }, periodSeconds: 1 },
      // The Service forgets the pod before the pod ends, so that clients notice nothing.
      lifecycle: { preStop: { sleep: { seconds: 3 } } },
      resources: { requests: { cpu, memory: '64Mi' } },
    };
    return {
      ...DEPLOYMENT,
      metadata: { name: this.name, namespace: this.namespace },
      spec: {
        replicas,
        selector: { matchLabels: this.labels },
        strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
        template: {
          metadata: { labels: { ...this.labels, ...podLabels } },
          spec: {
            securityContext: { runAsNonRoot: true, runAsUser: 1000 },
            automountServiceAccountToken: false,
            terminationGracePeriodSeconds: 8,
            topologySpreadConstraints: [
              {
                maxSkew: 1,
                topologyKey: 'kubernetes.io/hostname',
                whenUnsatisfiable: 'ScheduleAnyway',
                labelSelector: { matchLabels: this.labels },
              },
            ],
            containers: [application, ...containers],
            ...podSpec,
          },
        },
      },
    };
  }

  /** Applies it and waits until all of it is ready. */
  async deploy(): Promise<this> {
    const port = this.#options.port ?? 8080;
    await this.#cluster.apply(this.deployment, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: this.name, namespace: this.namespace },
      spec: { selector: this.labels, ports: [{ name: 'http', port, targetPort: port }] },
    });
    await this.ready();
    return this;
  }

  async scale(replicas: number): Promise<void> {
    await this.#cluster.merge(DEPLOYMENT, this.namespace, this.name, { spec: { replicas } });
  }

  /** As `kubectl rollout restart`. */
  async restart(): Promise<void> {
    const annotations = { 'kubectl.kubernetes.io/restartedAt': new Date().toISOString() };
    const patch = { spec: { template: { metadata: { annotations } } } };
    await this.#cluster.merge(DEPLOYMENT, this.namespace, this.name, patch);
  }

  async ready(): Promise<void> {
    await until(`deployment ${this.name} is ready`, READY_MS, async () => {
      const { metadata, spec, status } = await this.#cluster.read(DEPLOYMENT, this.namespace, this.name);
      const isRolledOut =
        status.observedGeneration === metadata['generation'] && status.updatedReplicas === spec.replicas;
      return isRolledOut && status.availableReplicas === spec.replicas && status.replicas === spec.replicas;
    });
  }

  /** Its pods that run and are not about to end. */
  async pods(): Promise<KubeObject[]> {
    const pods = await this.#cluster.list(POD, this.namespace, `app=${this.name}`);
    return pods.filter((pod) => pod.metadata.deletionTimestamp === undefined && pod['status'].phase === 'Running');
  }

  /** Begins to count anew. */
  async forget(): Promise<void> {
    await Promise.all((await this.pods()).map((pod) => this.#ask(pod, 'forget')));
  }

  async clusterIp(): Promise<string> {
    const service = await this.#cluster.read({ apiVersion: 'v1', kind: 'Service' }, this.namespace, this.name);
    return service['spec'].clusterIP;
  }

  async totalsByPod(): Promise<(ShopTotals & { readonly pod: string })[]> {
    const pods = await this.pods();
    return Promise.all(
      pods.map(async (pod) => ({ pod: pod.metadata.name, ...(await this.#ask<ShopTotals>(pod, 'totals')) })),
    );
  }

  /** What all of its pods have counted. */
  async totals(): Promise<ShopTotals> {
    const each = await this.totalsByPod();
    const sum = (of: (totals: ShopTotals) => number): number => each.reduce((all, totals) => all + of(totals), 0);
    return { requests: sum((t) => t.requests), distinct: sum((t) => t.distinct), twice: sum((t) => t.twice) };
  }

  /** Which requests arrived, in all of its pods together. */
  async account(): Promise<RequestAccount> {
    const pods = await this.pods();
    const texts = await Promise.all(pods.map((pod) => this.#ask<string>(pod, 'ids')));
    return new RequestAccount(texts.map((text) => Buffer.from(text, 'base64')));
  }

  async #ask<T>(pod: KubeObject, question: string): Promise<T> {
    const answer = await this.#cluster.askPod(this.namespace, pod.metadata.name, CONTROL_PORT, `ask/${question}`);
    return JSON.parse(answer) as T;
  }
}
