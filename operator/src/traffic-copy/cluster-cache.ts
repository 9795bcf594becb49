import {
  Informer,
  type InformerItem,
  type KubeClient,
  type KubeResource,
  LIMIT_RANGES,
  NAMESPACES,
  type NamespaceRecord,
  NODES,
  type NodeRecord,
  PODS,
  type PodRecord,
  type QuotaRecord,
  RESOURCE_QUOTAS,
  readLimitRange,
  readNamespace,
  readNode,
  readPod,
  readResourceQuota,
  readTrafficCopy,
  TRAFFIC_COPIES,
  type TrafficCopyRecord,
} from '../kube/index.js';

/** What changed, with what was before: both tell whom it concerns. */
export type ClusterChange =
  | { readonly kind: 'trafficCopy'; readonly item: TrafficCopyRecord; readonly isGone: boolean }
  | { readonly kind: 'pod'; readonly now: PodRecord | undefined; readonly before: PodRecord | undefined }
  | { readonly kind: 'namespace'; readonly name: string }
  | { readonly kind: 'node'; readonly name: string };

export interface ClusterCacheOptions {
  readonly client: KubeClient;
  /** Must not throw. */
  readonly onChange: (change: ClusterChange) => void;
  readonly onProblem: (resource: string, error: Error) => void;
}

type AnyInformer = Pick<Informer<InformerItem>, 'start' | 'stop' | 'synced' | 'isSynced'>;

/** All that is known of the cluster, kept up to date by informers. Reading it costs no request. */
export class ClusterCache {
  readonly #options: ClusterCacheOptions;
  readonly #trafficCopies: Informer<TrafficCopyRecord>;
  readonly #pods: Informer<PodRecord>;
  readonly #namespaces: Informer<NamespaceRecord>;
  readonly #nodes: Informer<NodeRecord>;
  readonly #quotas: Informer<QuotaRecord>;
  readonly #limitRanges: Informer<QuotaRecord>;
  readonly #all: readonly AnyInformer[];
  readonly #podsByNamespace = new Map<string, Map<string, PodRecord>>();
  readonly #podsByUid = new Map<string, PodRecord>();
  /** Pods in their host's network share its address and are left out. */
  readonly #podsByAddress = new Map<string, PodRecord>();
  readonly #trafficCopiesByUid = new Map<string, TrafficCopyRecord>();

  constructor(options: ClusterCacheOptions) {
    this.#options = options;
    this.#trafficCopies = this.#informer(TRAFFIC_COPIES, readTrafficCopy, this.#onTrafficCopy.bind(this));
    this.#pods = this.#informer(PODS, readPod, this.#onPod.bind(this));
    this.#namespaces = this.#informer(NAMESPACES, readNamespace, this.#onNamespace.bind(this));
    this.#nodes = this.#informer(NODES, readNode, this.#onNode.bind(this));
    this.#quotas = this.#informer(RESOURCE_QUOTAS, readResourceQuota, this.#onQuota.bind(this));
    this.#limitRanges = this.#informer(LIMIT_RANGES, readLimitRange, this.#onQuota.bind(this));
    const small = [this.#trafficCopies, this.#namespaces, this.#nodes, this.#quotas, this.#limitRanges];
    this.#all = [...small, this.#pods];
  }

  /** Resolves when everything is known. */
  async start(): Promise<void> {
    for (const informer of this.#all) informer.start();
    await Promise.all(this.#all.map((informer) => informer.synced));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map((informer) => informer.stop()));
  }

  /** Kinds of objects of which not everything is known yet. */
  get missing(): number {
    return this.#all.filter((informer) => !informer.isSynced).length;
  }

  get podCount(): number {
    return this.#pods.size;
  }

  trafficCopy(namespace: string, name: string): TrafficCopyRecord | undefined {
    return this.#trafficCopies.get(namespace, name);
  }

  trafficCopies(): Iterable<TrafficCopyRecord> {
    return this.#trafficCopiesByUid.values();
  }

  trafficCopyOf(uid: string): TrafficCopyRecord | undefined {
    return this.#trafficCopiesByUid.get(uid);
  }

  podsIn(namespace: string): Iterable<PodRecord> {
    return this.#podsByNamespace.get(namespace)?.values() ?? [];
  }

  podOf(uid: string): PodRecord | undefined {
    return this.#podsByUid.get(uid);
  }

  podAt(address: string): PodRecord | undefined {
    return this.#podsByAddress.get(address);
  }

  namespace(name: string): NamespaceRecord | undefined {
    return this.#namespaces.get(undefined, name);
  }

  node(name: string): NodeRecord | undefined {
    return this.#nodes.get(undefined, name);
  }

  nodes(): Iterable<NodeRecord> {
    return this.#nodes.items();
  }

  /** The quotas and limit ranges of a namespace that could refuse a pod for one container more. */
  limitsOf(namespace: string): readonly string[] {
    const names: string[] = [];
    for (const quota of this.#quotas.items()) {
      if (quota.namespace === namespace && quota.limitsContainers) names.push(`ResourceQuota ${quota.name}`);
    }
    for (const range of this.#limitRanges.items()) {
      if (range.namespace === namespace && range.limitsContainers) names.push(`LimitRange ${range.name}`);
    }
    return names;
  }

  #informer<Item extends InformerItem>(
    resource: KubeResource,
    read: (object: unknown) => Item | undefined,
    onChange: (now: Item | undefined, before: Item | undefined) => void,
  ): Informer<Item> {
    const { client, onProblem } = this.#options;
    return new Informer({ client, resource, read, onChange, onProblem: (error) => onProblem(resource.plural, error) });
  }

  #onTrafficCopy(now: TrafficCopyRecord | undefined, before: TrafficCopyRecord | undefined): void {
    const isOther = now !== undefined && before !== undefined && now.uid !== before.uid;
    if (before !== undefined && (now === undefined || isOther)) {
      this.#trafficCopiesByUid.delete(before.uid);
      this.#options.onChange({ kind: 'trafficCopy', item: before, isGone: true });
    }
    if (now === undefined) return;
    this.#trafficCopiesByUid.set(now.uid, now);
    this.#options.onChange({ kind: 'trafficCopy', item: now, isGone: false });
  }

  #onPod(now: PodRecord | undefined, before: PodRecord | undefined): void {
    if (before !== undefined) this.#forgetPod(before);
    if (now !== undefined) this.#rememberPod(now);
    this.#options.onChange({ kind: 'pod', now, before });
  }

  #forgetPod(pod: PodRecord): void {
    const pods = this.#podsByNamespace.get(pod.namespace);
    pods?.delete(pod.name);
    if (pods?.size === 0) this.#podsByNamespace.delete(pod.namespace);
    this.#podsByUid.delete(pod.uid);
    for (const address of pod.addresses) {
      if (this.#podsByAddress.get(address)?.uid === pod.uid) this.#podsByAddress.delete(address);
    }
  }

  #rememberPod(pod: PodRecord): void {
    const pods = this.#podsByNamespace.get(pod.namespace) ?? new Map<string, PodRecord>();
    this.#podsByNamespace.set(pod.namespace, pods.set(pod.name, pod));
    this.#podsByUid.set(pod.uid, pod);
    const hasEnded = pod.phase === 'Succeeded' || pod.phase === 'Failed';
    if (pod.isHostNetwork || hasEnded) return;
    for (const address of pod.addresses) this.#podsByAddress.set(address, pod);
  }

  #onNamespace(now: NamespaceRecord | undefined, before: NamespaceRecord | undefined): void {
    this.#options.onChange({ kind: 'namespace', name: (now ?? before)!.name });
  }

  #onNode(now: NodeRecord | undefined, before: NodeRecord | undefined): void {
    this.#options.onChange({ kind: 'node', name: (now ?? before)!.name });
  }

  #onQuota(now: QuotaRecord | undefined, before: QuotaRecord | undefined): void {
    this.#options.onChange({ kind: 'namespace', name: (now ?? before)!.namespace });
  }
}
