import { INTERCEPT_NODE_LABEL } from '../api/index.js';
import type { TrafficHub } from '../hub/index.js';
import { type KubeClient, KubeNotFoundError, NODES, type NodeRecord } from '../kube/index.js';
import type { ClusterCache } from './cluster-cache.js';
import type { Contributions } from './contributions.js';

/** A node whose intercept has not answered for so long is not waited for. */
export const SILENCE_MS_MAX = 30_000;
const LOOK_AGAIN_MS = 5000;
/** The cache shows what was written within a fraction of a second; after this it is believed again. */
const WRITTEN_MS_MAX = 5000;

/** Tells each node's intercept what it serves, and keeps the label that brings an intercept to a node, as long as something of ours is there. */
export class NodeKeeper {
  readonly #client: KubeClient;
  readonly #cache: ClusterCache;
  readonly #hub: TrafficHub;
  readonly #contributions: Contributions;
  readonly #now: () => number;
  /** Labels that were written and that the cache does not show yet. */
  readonly #written = new Map<string, { readonly isLabelled: boolean; readonly atMs: number }>();
  /** Pods that did not fit in a frame, by node. */
  readonly #unserved = new Map<string, readonly string[]>();

  constructor(
    client: KubeClient,
    cache: ClusterCache,
    hub: TrafficHub,
    contributions: Contributions,
    now: () => number,
  ) {
    this.#client = client;
    this.#cache = cache;
    this.#hub = hub;
    this.#contributions = contributions;
    this.#now = now;
  }

  /** @returns when to look again though nothing has changed; undefined: never */
  async keep(name: string): Promise<number | undefined> {
    const pods = this.#contributions.podsOn(name);
    const node = this.#cache.node(name);
    const isUsed = pods.length > 0;
    if (isUsed || node?.isLabelled === true || this.#hub.intercept(name) !== undefined) {
      this.#unserved.set(name, this.#hub.setInterceptSettings(name, pods));
    }
    if (node === undefined) {
      this.#unserved.delete(name);
      return undefined;
    }
    if (isUsed === this.#isLabelled(node)) return undefined;
    if (!isUsed && !this.#isClean(name)) return LOOK_AGAIN_MS;
    await this.#label(name, isUsed);
    this.#written.set(name, { isLabelled: isUsed, atMs: this.#now() });
    return WRITTEN_MS_MAX;
  }

  /** Target pods of the node that are beyond what its intercept can be told. */
  unservedOn(name: string): readonly string[] {
    return this.#unserved.get(name) ?? [];
  }

  #isLabelled({ name, isLabelled }: NodeRecord): boolean {
    const written = this.#written.get(name);
    if (written === undefined) return isLabelled;
    if (written.isLabelled !== isLabelled && this.#now() - written.atMs < WRITTEN_MS_MAX) return written.isLabelled;
    this.#written.delete(name);
    return isLabelled;
  }

  /** Nothing of ours is there any more, or nobody is there who could say so. */
  #isClean(name: string): boolean {
    const intercept = this.#hub.intercept(name);
    if (intercept === undefined) return this.#hub.leadingMs > SILENCE_MS_MAX;
    if (!intercept.isConnected) return this.#now() - intercept.sinceMs > SILENCE_MS_MAX;
    return intercept.report !== undefined && intercept.report.pods.length === 0;
  }

  async #label(name: string, isUsed: boolean): Promise<void> {
    const body = { metadata: { labels: { [INTERCEPT_NODE_LABEL]: isUsed ? 'true' : null } } };
    await this.#client.patch(NODES, { name }, body, 'merge').catch((error: unknown) => {
      if (!(error instanceof KubeNotFoundError)) throw error;
    });
  }
}
