import type { HubChange, TrafficHub } from '../hub/index.js';
import type { CopyContainerSettings } from '../injection/copy-container.js';
import {
  type EventRecorder,
  type KubeClient,
  KubeConflictError,
  type PodRecord,
  type TrafficCopyRecord,
} from '../kube/index.js';
import { CarryOut } from './carry-out.js';
import type { ClusterCache, ClusterChange } from './cluster-cache.js';
import { concernsNamespace, concernsPod } from './concerned.js';
import { type ContributionChange, Contributions, type WebhookWish } from './contributions.js';
import type { ControllerMetrics } from './controller-metrics.js';
import { CredentialsReader } from './credentials-reader.js';
import { decide } from './decide.js';
import type { Decision } from './decision.js';
import { gather } from './gather.js';
import { isImageProven } from './image-proof.js';
import { Knowledge } from './knowledge.js';
import { NodeKeeper } from './node-keeper.js';
import type { TrafficCopyMemory } from './observation.js';
import { TrafficCopyWriter } from './traffic-copy-writer.js';
import { WebhookKeeper } from './webhook-keeper.js';
import { WorkQueue } from './work-queue.js';

export interface ControllerOptions {
  readonly client: KubeClient;
  readonly cache: ClusterCache;
  readonly hub: TrafficHub;
  readonly events: EventRecorder;
  readonly metrics: ControllerMetrics;
  /** Who lets copies in: told of every TrafficCopy, on every replica. */
  readonly policy: TrafficCopyPolicy;
  /** What copies look like. */
  readonly container: Omit<CopyContainerSettings, 'uid'>;
  /** The MutatingWebhookConfiguration; undefined: none is needed. */
  readonly buildWebhook: (wishes: readonly WebhookWish[]) => object | undefined;
  readonly onFailure: (key: string, error: Error) => void;
  readonly now?: (() => number) | undefined;
}

export interface TrafficCopyPolicy {
  /** Returns its token. */
  registerTrafficCopy(trafficCopy: { readonly namespace: string; readonly name: string; readonly uid: string }): string;
  forgetTrafficCopy(uid: string): void;
}

/** More at once would only wait for the API server together, and make each look longer. */
const CONCURRENCY = 4;
const INTERVAL_MS_MIN = 200;
const CONFLICT_RETRY_MS = 300;
const WEBHOOK_KEY = 'webhook:';
const NODE_PREFIX = 'node:';
const COPY_PREFIX = 'copy:';

/**
 * Follows everything that TrafficCopies depend on, and does what is to be done. Whatever changes only puts names into a queue; what is done about a name follows from
 * what is, not from what happened. Runs on the leader; the others only keep the list of TrafficCopies, so that they can let copies in.
 */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #now: () => number;
  readonly #queue: WorkQueue;
  readonly #contributions = new Contributions();
  readonly #knowledge = new Knowledge();
  readonly #nodes: NodeKeeper;
  readonly #webhooks: WebhookKeeper;
  readonly #carryOut: CarryOut;
  readonly #credentials: CredentialsReader;
  /** TrafficCopies that a new leader has not looked at yet: until then it does not know what is not needed any more. */
  readonly #unseen = new Set<string>();
  #isLeading = false;
  #endHub: (() => void) | undefined;

  constructor(options: ControllerOptions) {
    const { client, cache, hub, events, policy, onFailure } = options;
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#queue = new WorkQueue({
      work: (key) => this.#work(key),
      onFailure,
      concurrency: CONCURRENCY,
      intervalMsMin: INTERVAL_MS_MIN,
    });
    this.#nodes = new NodeKeeper(client, cache, hub, this.#contributions, this.#now);
    this.#webhooks = new WebhookKeeper(client, this.#contributions, options.buildWebhook, this.#now);
    this.#credentials = new CredentialsReader(client, this.#now);
    this.#carryOut = new CarryOut({
      writer: new TrafficCopyWriter(client, options.container),
      hub,
      events,
      knowledge: this.#knowledge,
      tokenOf: (trafficCopy) => policy.registerTrafficCopy(trafficCopy),
      release: (uid) => this.#release(uid),
      exists: (uid) => cache.trafficCopyOf(uid) !== undefined,
      now: this.#now,
    });
  }

  get queueDepth(): number {
    return this.#queue.depth;
  }

  /** For every change of the cache, on every replica. */
  onClusterChange(change: ClusterChange): void {
    if (change.kind === 'trafficCopy') this.#register(change.item, change.isGone);
    if (!this.#isLeading) return;
    switch (change.kind) {
      case 'trafficCopy':
        if (!change.isGone) this.#addCopy(change.item);
        break;
      case 'pod':
        this.#addConcerned(change.now, change.before);
        break;
      case 'namespace':
        for (const item of this.#options.cache.trafficCopies()) {
          if (concernsNamespace(item, change.name)) this.#addCopy(item);
        }
        break;
      case 'node':
        this.#addNode(change.name);
        break;
    }
  }

  /** From now on this replica does the work. The cache must be complete. */
  lead(): void {
    const { cache, hub } = this.#options;
    this.#isLeading = true;
    hub.lead();
    this.#endHub = hub.onChange((change) => this.#onHubChange(change));
    this.#queue.start();
    for (const item of cache.trafficCopies()) {
      this.#unseen.add(item.uid);
      this.#addCopy(item);
    }
    if (this.#unseen.size === 0) this.#lookAtShared();
  }

  /** Ends what was begun, and does nothing more. */
  async rest(): Promise<void> {
    if (!this.#isLeading) return;
    this.#isLeading = false;
    this.#endHub?.();
    await this.#queue.stop();
    this.#unseen.clear();
    this.#knowledge.clear();
    this.#credentials.clear();
    this.#webhooks.forget();
    for (const uid of this.#contributions.uids()) this.#contributions.delete(uid);
  }

  #register(item: TrafficCopyRecord, isGone: boolean): void {
    const { policy, hub } = this.#options;
    if (!isGone) {
      policy.registerTrafficCopy(item);
      return;
    }
    policy.forgetTrafficCopy(item.uid);
    this.#credentials.forget(item.uid);
    if (!this.#isLeading) return;
    hub.forgetCopies(item.uid);
    this.#knowledge.forget(item.uid);
    this.#spread(this.#contributions.delete(item.uid));
    this.#seen(item.uid);
  }

  #onHubChange(change: HubChange): void {
    const { cache } = this.#options;
    if (change.kind === 'copy') {
      const item = cache.trafficCopyOf(change.trafficCopyUid);
      if (item !== undefined) this.#addCopy(item);
      return;
    }
    this.#addNode(change.node);
    for (const item of cache.trafficCopies()) {
      const isOn = this.#contributions.of(item.uid).nodes.has(change.node);
      const wasOn = [...this.#knowledge.memoryOf(item.uid).granted.values()].includes(change.node);
      if (isOn || wasOn) this.#addCopy(item);
    }
  }

  #addConcerned(now: PodRecord | undefined, before: PodRecord | undefined): void {
    for (const item of this.#options.cache.trafficCopies()) {
      const isConcerned = [now, before].some((pod) => pod !== undefined && concernsPod(item, pod));
      if (isConcerned) this.#addCopy(item);
    }
    if (now === undefined && before !== undefined) this.#forgetPod(before);
  }

  /** The hub need not remember settings for a pod that is gone. */
  #forgetPod(pod: PodRecord): void {
    const { hub, cache } = this.#options;
    for (const item of cache.trafficCopies()) {
      if (concernsPod(item, pod)) hub.setCopySettings(pod.uid, item.uid, undefined);
    }
  }

  #addCopy({ namespace, name }: TrafficCopyRecord): void {
    this.#queue.add(`${COPY_PREFIX}${namespace}/${name}`);
  }

  #addNode(name: string): void {
    if (this.#unseen.size === 0) this.#queue.add(NODE_PREFIX + name);
  }

  async #work(key: string): Promise<void> {
    const kind = key.slice(0, key.indexOf(':'));
    const name = key.slice(kind.length + 1);
    const { metrics } = this.#options;
    const begun = performance.now();
    try {
      if (kind === 'copy') await this.#workOnCopy(key, name);
      else if (kind === 'node') await this.#workOnNode(key, name);
      else await this.#keepWebhook(key);
    } catch (error) {
      // The cache is behind: what is there now comes with the next event.
      if (error instanceof KubeConflictError) {
        this.#queue.addAfter(key, CONFLICT_RETRY_MS);
        return;
      }
      metrics.failed(kind);
      throw error;
    } finally {
      metrics.reconciled(kind, (performance.now() - begun) / 1000);
    }
  }

  async #workOnCopy(key: string, fullName: string): Promise<void> {
    const [namespace = '', name = ''] = fullName.split('/');
    const { cache, hub, container } = this.#options;
    const cached = cache.trafficCopy(namespace, name);
    if (cached === undefined || !this.#isLeading || this.#knowledge.hasEnded(cached.uid)) return;
    const trafficCopy = this.#knowledge.latest(cached);
    const { uid } = trafficCopy;
    const credentials = trafficCopy.isDeleting ? undefined : await this.#credentials.read(trafficCopy);
    const memory = this.#memoryFor(trafficCopy);
    const observation = gather(cache, hub, trafficCopy, memory, this.#now(), container.image, credentials);
    this.#knowledge.change(uid, { isImageProven: isImageProven(observation) });
    const decision = decide(observation);
    this.#contribute(trafficCopy, decision);
    const isDone = await this.#carryOut.do(trafficCopy, decision);
    if (!isDone) this.#queue.addAfter(key, CONFLICT_RETRY_MS);
    const { lookAgainMs } = decision;
    if (lookAgainMs !== undefined) this.#queue.addAfter(key, Math.min(lookAgainMs, LOOK_AGAIN_MS_MAX));
    if (cache.trafficCopyOf(uid) === undefined) this.#knowledge.forget(uid);
  }

  /** What is remembered, without what the cache shows by now and what others took over. */
  #memoryFor({ uid, namespace }: TrafficCopyRecord): TrafficCopyMemory {
    const { cache } = this.#options;
    const memory = this.#knowledge.memoryOf(uid);
    const injected = new Map(
      [...memory.injected].filter(([podUid, { container }]) => {
        const pod = cache.podOf(podUid);
        return pod?.namespace === namespace && !pod.copies.some((copy) => copy.name === container);
      }),
    );
    const refused = new Map([...memory.refused].filter(([podUid]) => cache.podOf(podUid) !== undefined));
    const granted = new Map(
      [...memory.granted].filter(([podUid]) => !this.#contributions.isGrantedByAnother(uid, podUid)),
    );
    const stopped = new Set([...memory.stopped].filter((podUid) => cache.podOf(podUid) !== undefined));
    const captureDrops = this.#captureDrops(uid, memory);
    this.#knowledge.change(uid, { injected, refused, stopped, captureDrops });
    return { ...memory, injected, refused, stopped, captureDrops, granted };
  }

  #captureDrops(uid: string, { captureDrops }: TrafficCopyMemory): TrafficCopyMemory['captureDrops'] {
    const count = this.#options.hub.traffic(uid).captureDrops;
    return count > captureDrops.count ? { count, risenAtMs: this.#now() } : captureDrops;
  }

  /** Takes over what the decision wants of nodes and webhook. It takes effect by work of their own. */
  #contribute({ uid, namespace, name }: TrafficCopyRecord, decision: Decision): void {
    const nodes = decision.nodes === 'asBefore' ? this.#contributions.of(uid).nodes : decision.nodes;
    if (nodes.size > 0) {
      const granted = [...nodes].flatMap(([node, pods]) => pods.map((pod) => [pod.uid, node] as const));
      this.#knowledge.change(uid, { granted: new Map(granted) });
    }
    const webhook = decision.webhook === undefined ? undefined : { uid, namespace, name, selector: decision.webhook };
    this.#spread(this.#contributions.set(uid, { nodes, webhook }));
    this.#seen(uid);
  }

  #spread({ nodes, webhook }: ContributionChange): void {
    if (this.#unseen.size > 0) return;
    for (const node of nodes) this.#queue.add(NODE_PREFIX + node);
    if (webhook) this.#queue.add(WEBHOOK_KEY);
  }

  /** With the last one everything that is wanted is known, and what is not wanted too. */
  #seen(uid: string): void {
    if (this.#unseen.delete(uid) && this.#unseen.size === 0) this.#lookAtShared();
  }

  #lookAtShared(): void {
    this.#queue.add(WEBHOOK_KEY);
    for (const { name } of this.#options.cache.nodes()) this.#queue.add(NODE_PREFIX + name);
  }

  async #workOnNode(key: string, name: string): Promise<void> {
    const lookAgainMs = await this.#nodes.keep(name);
    if (lookAgainMs !== undefined) this.#queue.addAfter(key, lookAgainMs);
  }

  async #keepWebhook(key: string): Promise<void> {
    const lookAgainMs = await this.#webhooks.keep();
    if (lookAgainMs !== undefined) this.#queue.addAfter(key, lookAgainMs);
  }

  /** At the end of a TrafficCopy: what was there for it alone goes before its finalizer does. */
  async #release(uid: string): Promise<void> {
    if (this.#unseen.size > 0) return;
    await this.#webhooks.keep();
    for (const node of new Set(this.#knowledge.memoryOf(uid).granted.values())) await this.#nodes.keep(node);
  }
}

/** Timers do not take longer ones. */
const LOOK_AGAIN_MS_MAX = 24 * 3600 * 1000;
