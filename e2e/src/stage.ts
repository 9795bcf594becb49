import assert from 'node:assert/strict';
import type { LoadReport } from '@trafficcopy/lab';
import { Cluster, POD } from './cluster/cluster.js';
import { Inspector } from './cluster/inspector.js';
import type { KubeObject } from './cluster/kube-object.js';
import { TestNamespace } from './cluster/test-namespace.js';
import { Installation } from './product/installation.js';
import { TrafficCopyResource } from './product/traffic-copy-resource.js';
import { LoadPod } from './shop/load-pod.js';
import { type ShopOptions, ShopService } from './shop/shop-service.js';
import { until } from './until.js';

/** Numbers of requests: those of connections that stay count from 0, those of fresh ones from here. */
export const FRESH_ID_START = 1_000_000;
const SETTLED_MS = 20_000;

export interface StageOptions {
  readonly source?: ShopOptions;
  readonly target?: ShopOptions;
  readonly labels?: Readonly<Record<string, string>>;
  /** Port of the source's Service that clients use. */
  readonly port?: number;
  /** Clients speak TLS. */
  readonly tls?: boolean;
}

/** What most files need: the product, a running service under test load, and a second version of it to copy to. */
export class Stage {
  readonly cluster: Cluster;
  readonly installation: Installation;
  readonly inspector: Inspector;
  readonly namespace: TestNamespace;
  readonly source: ShopService;
  readonly target: ShopService;
  readonly #options: StageOptions;
  #loads: LoadPod[] = [];
  #copies: TrafficCopyResource[] = [];

  private constructor(
    cluster: Cluster,
    installation: Installation,
    inspector: Inspector,
    namespace: TestNamespace,
    options: StageOptions,
  ) {
    this.cluster = cluster;
    this.installation = installation;
    this.inspector = inspector;
    this.namespace = namespace;
    this.#options = options;
    this.source = new ShopService(cluster, namespace.name, 'checkout', {
      ...{ replicas: 3, cpu: '300m' },
      ...options.source,
    });
    this.target = new ShopService(cluster, namespace.name, 'checkout-canary', {
      ...{ replicas: 2, version: 2 },
      ...options.target,
    });
  }

  static async set(part: string, options: StageOptions = {}): Promise<Stage> {
    const cluster = await Cluster.connect();
    const installation = new Installation(cluster);
    const [inspector, namespace] = await Promise.all([
      Inspector.deploy(cluster),
      TestNamespace.create(cluster, part, { labels: options.labels ?? {} }),
      installation.ensure(),
    ]);
    const stage = new Stage(cluster, installation, inspector, namespace, options);
    await Promise.all([stage.source.deploy(), stage.target.deploy()]);
    return stage;
  }

  /** Load on the source, `rate` requests a second in all: four fifths over connections that stay, the others over fresh ones. */
  async load(rate: number): Promise<readonly LoadPod[]> {
    const { port = 8080, tls = false } = this.#options;
    this.#loads = await this.#startLoads('load', { host: await this.source.clusterIp(), port, tls }, rate);
    return this.#loads;
  }

  /** The same load on the target itself, by clients of its own; whoever asks for it removes it. */
  async loadTarget(rate: number): Promise<readonly LoadPod[]> {
    return this.#startLoads('target-load', { host: await this.target.clusterIp(), port: 8080 }, rate);
  }

  async #startLoads(name: string, to: { host: string; port: number; tls?: boolean }, rate: number): Promise<LoadPod[]> {
    const { cluster, namespace } = this;
    const staying = { ...to, connections: 30, rate: rate * 0.8 };
    const fresh = { ...to, connections: 10, requests: 5, rate: rate * 0.2, idStart: FRESH_ID_START };
    return Promise.all([
      new LoadPod(cluster, namespace.name, `${name}-staying`, staying).start(),
      new LoadPod(cluster, namespace.name, `${name}-fresh`, fresh).start(),
    ]);
  }

  /** Load again, by new pods, after `stopLoad`. */
  async reload(rate: number): Promise<readonly LoadPod[]> {
    await Promise.all(this.#loads.map((load) => load.remove()));
    return this.load(rate);
  }

  /** Fresh connections only. */
  async reloadFresh(rate: number): Promise<void> {
    await Promise.all(this.#loads.map((load) => load.remove()));
    const { port = 8080, tls = false } = this.#options;
    const to = { host: await this.source.clusterIp(), port, tls, connections: 10, requests: 5, rate };
    this.#loads = [await new LoadPod(this.cluster, this.namespace.name, 'load-fresh', to).start()];
  }

  /** A TrafficCopy from source to target, with more of a spec. */
  async copy(spec: Readonly<Record<string, unknown>> = {}, name = 'shadow'): Promise<TrafficCopyResource> {
    const resource = new TrafficCopyResource(this.cluster, this.namespace.name, name);
    this.#copies.push(resource);
    return resource.apply({
      source: { selector: { matchLabels: this.source.labels } },
      targets: [this.toTarget()],
      ...spec,
    });
  }

  toTarget(): Record<string, unknown> {
    return { name: 'canary', selector: { matchLabels: this.target.labels }, ports: [{ source: 8080 }] };
  }

  /** The next request of each load: of what comes after, nothing may be missing. */
  async mark(): Promise<readonly number[]> {
    return Promise.all(this.#loads.map((load) => load.nextId()));
  }

  /** Waits until `requests` more were answered. */
  async untilAnswered(requests: number, timeoutMs: number): Promise<void> {
    const answered = async (): Promise<number> => {
      const reports = await Promise.all(this.#loads.map((load) => load.progress()));
      return reports.reduce((all, report) => all + report.responses, 0);
    };
    const start = await answered();
    await until(
      `${requests} more requests are answered`,
      timeoutMs,
      async () => (await answered()) - start >= requests,
    );
  }

  async stopLoad(): Promise<readonly LoadReport[]> {
    return Promise.all(this.#loads.map((load) => load.stop()));
  }

  /** Worst of the loads' 99th percentiles since the last call, microseconds. */
  async p99Us(): Promise<number> {
    const laps = await Promise.all(this.#loads.map((load) => load.lap()));
    return Math.max(...laps.map((lap) => lap.latencyUs.p99));
  }

  /** Every request from `marks` to the last is at the target once, and none before it more than once. */
  async expectExactlyOnce(target: ShopService, marks: readonly number[]): Promise<void> {
    const ends = await this.mark();
    await until(`every request is at ${target.name} exactly once`, SETTLED_MS, async () => {
      const account = await target.account();
      for (const [index, load] of this.#loads.entries()) {
        const [start = 0, end = 0] = [marks[index], ends[index]];
        const all = { once: end - start, never: 0, twice: 0, examples: [] };
        const found = account.between(start, end);
        assert.deepEqual(found, all, `${load.name} from ${start} to ${end}; ${await this.#losses()}`);
        assert.equal(account.between(load.idStart, start).twice, 0, `${load.name} before the start`);
      }
      return true;
    });
  }

  /** What the resources tell about losses, for whoever looks for them. */
  async #losses(): Promise<string> {
    const texts = this.#copies.map(async (copy) => {
      const { status } = await copy.read();
      return `${copy.name}: ${JSON.stringify({ ...status.traffic, losses: status.losses })}`;
    });
    return (await Promise.all(texts.map((text) => text.catch(() => 'gone')))).join('; ');
  }

  /** No client noticed anything: no error, no packet from anywhere else. */
  async expectClientsUndisturbed(): Promise<void> {
    for (const load of this.#loads) {
      assert.deepEqual((await load.progress()).errors, {}, `errors of ${load.name}`);
      assert.deepEqual(await load.strangePackets(), [], `packets at ${load.name}`);
    }
  }

  /** No response of a target, nor anything else from a foreign address, reached a client. */
  async expectNoLeak(): Promise<void> {
    const targets = new Set((await this.target.pods()).map((pod) => pod['status'].podIP as string));
    for (const load of this.#loads) {
      const leaked = (await load.strangePackets()).filter((line) =>
        [...targets].some((ip) => line.includes(`IP ${ip}.`)),
      );
      assert.deepEqual(leaked, [], `packets of the target at ${load.name}`);
    }
  }

  /** Removes everything, unless E2E_HOLD=1 asks to leave it for a look. */
  async end(): Promise<void> {
    if (process.env['E2E_HOLD'] === '1') return;
    for (const copy of this.#copies) {
      await copy.remove().catch((error: unknown) => console.error(`# ${String(error)}`));
    }
    await this.namespace.remove();
  }

  /** Restarts of all containers that are not ours, and which pods they are: equal before and after when nothing was restarted. */
  async lives(service: ShopService): Promise<string[]> {
    return (await service.pods()).map((pod) => livesOf(pod)).sort();
  }

  /** The pod as it is now. */
  async refresh(pod: KubeObject): Promise<KubeObject> {
    return this.cluster.read(POD, pod.metadata.namespace, pod.metadata.name);
  }
}

interface ContainerStatus {
  readonly name: string;
  readonly restartCount: number;
  readonly state: { readonly running?: { readonly startedAt: string } };
}

function livesOf(pod: KubeObject): string {
  const statuses: ContainerStatus[] = pod['status'].containerStatuses ?? [];
  const each = statuses.map(({ name, restartCount, state }) => `${name} ${restartCount} ${state.running?.startedAt}`);
  return `${pod.metadata.name} ${pod.metadata.uid}: ${each.join(', ')}`;
}
