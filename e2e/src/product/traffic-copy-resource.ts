import assert from 'node:assert/strict';
import { type Cluster, TRAFFIC_COPY } from '../cluster/cluster.js';
import type { KubeObject } from '../cluster/kube-object.js';
import { until } from '../until.js';

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
}

export interface Traffic {
  readonly connections: number;
  readonly sessionsOpen: number;
  readonly turnsCaptured: number;
  readonly turnsDelivered: number;
  readonly turnsPending: number;
  readonly turnsLost: number;
  readonly turnsPerSecond: number;
  readonly lostPercent: string;
}

/** One TrafficCopy in the cluster, as a user handles it. */
export class TrafficCopyResource {
  readonly name: string;
  readonly namespace: string;
  readonly #cluster: Cluster;

  constructor(cluster: Cluster, namespace: string, name: string) {
    this.#cluster = cluster;
    this.namespace = namespace;
    this.name = name;
  }

  async apply(spec: Readonly<Record<string, unknown>>): Promise<this> {
    await this.#cluster.apply({ ...TRAFFIC_COPY, metadata: { name: this.name, namespace: this.namespace }, spec });
    return this;
  }

  /** Changes parts of the spec; null removes one. */
  async change(spec: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#cluster.merge(TRAFFIC_COPY, this.namespace, this.name, { spec });
  }

  async read(): Promise<KubeObject> {
    return this.#cluster.read(TRAFFIC_COPY, this.namespace, this.name);
  }

  /** The first eight characters of its UID, which names of what it owns carry. */
  async shortUid(): Promise<string> {
    return ((await this.read()).metadata.uid ?? '').slice(0, 8);
  }

  async condition(type: string): Promise<Condition | undefined> {
    const { status } = await this.read();
    return status?.conditions?.find((each: Condition) => each.type === type);
  }

  /** Waits until the condition has the status, and the reason if one is given. */
  async untilCondition(type: string, status: string, timeoutMs: number, reason?: string): Promise<Condition> {
    const wanted = `${this.name} is ${type}=${status}${reason === undefined ? '' : ` (${reason})`}`;
    return until(wanted, timeoutMs, async () => {
      const resource = await this.read();
      const conditions: Condition[] = resource['status']?.conditions ?? [];
      const found = conditions.find((each) => each.type === type);
      const isWanted = found?.status === status && (reason === undefined || found.reason === reason);
      const text = conditions.map((each) => `${each.type}=${each.status} ${each.reason} «${each.message}»`).join('; ');
      assert.ok(isWanted, `conditions are: ${text}`);
      assert.ok(
        (found.observedGeneration ?? Infinity) >= (resource.metadata['generation'] as number),
        'old generation',
      );
      return found;
    });
  }

  /** Waits until every source pod that is there copies, `sources` of them, to every target and every pod of each. */
  async untilCopying(sources: number, timeoutMs: number): Promise<void> {
    await until(`${sources} sources of ${this.name} copy`, timeoutMs, async () => {
      const { metadata, status } = await this.read();
      assert.deepEqual(
        { ...status?.sources },
        { selected: sources, injected: sources, copying: sources },
        JSON.stringify(status),
      );
      for (const { name, selected, ready } of status.targets) assert.equal(ready, selected, `pods of target ${name}`);
      const isReady = status.conditions.some(
        (each: Condition) =>
          each.type === 'Ready' && each.status === 'True' && each.observedGeneration === metadata['generation'],
      );
      assert.ok(isReady, JSON.stringify(status.conditions));
      return true;
    });
  }

  /** Waits until the operator has seen the last change. */
  async untilObserved(timeoutMs: number): Promise<void> {
    await until(`the last change of ${this.name} is seen`, timeoutMs, async () => {
      const { metadata, status } = await this.read();
      return status.observedGeneration === metadata['generation'];
    });
  }

  async traffic(): Promise<Traffic> {
    return (await this.read())['status'].traffic;
  }

  /** Asks for its removal, and waits until its finalizer has let it go. */
  async remove(timeoutMs = 60_000): Promise<void> {
    await this.#cluster.remove(TRAFFIC_COPY, this.namespace, this.name);
    await until(`${this.name} is gone`, timeoutMs, async () => {
      const left = await this.#cluster.find(TRAFFIC_COPY, this.namespace, this.name);
      assert.equal(left, undefined, `still there: ${JSON.stringify(left?.['status'] ?? {})}`);
      return true;
    });
  }
}
