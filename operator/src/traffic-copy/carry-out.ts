import { CLEANUP_FINALIZER } from '../api/index.js';
import type { TrafficHub } from '../hub/index.js';
import {
  type EventRecorder,
  KubeConflictError,
  type KubeError,
  KubeForbiddenError,
  KubeInvalidError,
  KubeNotFoundError,
  PODS,
  TRAFFIC_COPIES,
  type TrafficCopyRecord,
} from '../kube/index.js';
import type { Decision } from './decision.js';
import type { Knowledge } from './knowledge.js';
import type { Injection } from './source-plan.js';
import type { TrafficCopyWriter } from './traffic-copy-writer.js';

export interface CarryOutOptions {
  readonly writer: TrafficCopyWriter;
  readonly hub: TrafficHub;
  readonly events: EventRecorder;
  readonly knowledge: Knowledge;
  /** The token of the TrafficCopy, which from now on lets its copies in. */
  readonly tokenOf: (trafficCopy: TrafficCopyRecord) => string;
  /** What all TrafficCopies share is as it should be without this one: webhook and node labels. */
  readonly release: (uid: string) => Promise<void>;
  /** Whether the cache still has it. */
  readonly exists: (uid: string) => boolean;
  readonly now: () => number;
}

/** A Secret that somebody deleted is there again after this time, when a copy needs it. */
const SECRET_MS_MAX = 60_000;

/** Makes true what was decided about one TrafficCopy. Writes only what differs; done twice it does nothing the second time. */
export class CarryOut {
  readonly #options: CarryOutOptions;

  constructor(options: CarryOutOptions) {
    this.#options = options;
  }

  /** @returns whether everything went as wanted; false: look again soon. @throws KubeError: try again later */
  async do(trafficCopy: TrafficCopyRecord, decision: Decision): Promise<boolean> {
    if (trafficCopy.isDeleting) return await this.#end(trafficCopy, decision);
    // The finalizer stands before the first thing that it is to clean up.
    const hasFinalizer = trafficCopy.finalizers.includes(CLEANUP_FINALIZER);
    const current = hasFinalizer ? trafficCopy : await this.#setFinalizer(trafficCopy, true);
    // It is gone already: what is set up for it now nobody would clean up.
    if (current === undefined) return true;
    await this.#keepSecret(current, decision);
    // A DELETE that the API server had begun before the finalizer stood does not heed it. What comes too late here for that, copies are told
    // when they join (see TrafficCopyRegistry); the Secret goes with its owner.
    if (!this.#options.exists(current.uid)) return true;
    this.#tellCopies(current, decision);
    const isDone = await this.#inject(current, decision.injections);
    await this.#report(current, decision);
    return isDone;
  }

  async #end(trafficCopy: TrafficCopyRecord, decision: Decision): Promise<boolean> {
    this.#tellCopies(trafficCopy, decision);
    if (decision.finalizer === 'present') return true;
    await this.#options.release(trafficCopy.uid);
    this.#announce(trafficCopy, decision);
    await this.#options.writer.deleteSecret(trafficCopy);
    if (trafficCopy.finalizers.includes(CLEANUP_FINALIZER)) await this.#setFinalizer(trafficCopy, false);
    return true;
  }

  async #setFinalizer(trafficCopy: TrafficCopyRecord, isPresent: boolean): Promise<TrafficCopyRecord | undefined> {
    const { writer, knowledge } = this.#options;
    const written = await writer.setFinalizer(trafficCopy, isPresent).catch((error: unknown) => {
      if (error instanceof KubeNotFoundError) return undefined;
      throw error;
    });
    if (!isPresent) knowledge.ended(trafficCopy.uid);
    knowledge.wrote(written);
    return written;
  }

  async #keepSecret(trafficCopy: TrafficCopyRecord, decision: Decision): Promise<void> {
    const { writer, knowledge, now } = this.#options;
    const { uid } = trafficCopy;
    const state = knowledge.secret(uid);
    if (decision.secret === 'absent') {
      if (state === 'absent') return;
      await writer.deleteSecret(trafficCopy);
      knowledge.wroteSecret(uid, 'absent');
      return;
    }
    const isNeeded = decision.injections.length > 0 && typeof state === 'number' && now() - state > SECRET_MS_MAX;
    if (typeof state === 'number' && !isNeeded) return;
    await writer.applySecret(trafficCopy, this.#options.tokenOf(trafficCopy));
    knowledge.wroteSecret(uid, now());
  }

  #tellCopies({ uid }: TrafficCopyRecord, decision: Decision): void {
    const { hub } = this.#options;
    if (decision.stopAll !== undefined) hub.stopCopies(uid, decision.stopAll);
    for (const podUid of decision.stops) hub.stopCopy(podUid, uid, 'the TrafficCopy does not select the pod any more');
    if (decision.stops.length > 0) {
      const { stopped } = this.#options.knowledge.memoryOf(uid);
      this.#options.knowledge.change(uid, { stopped: new Set([...stopped, ...decision.stops]) });
    }
    for (const [podUid, settings] of decision.copySettings) hub.setCopySettings(podUid, uid, settings);
  }

  async #inject(trafficCopy: TrafficCopyRecord, injections: readonly Injection[]): Promise<boolean> {
    const results = await Promise.all(injections.map((injection) => this.#injectOne(trafficCopy, injection)));
    return results.every(Boolean);
  }

  async #injectOne(trafficCopy: TrafficCopyRecord, injection: Injection): Promise<boolean> {
    const { writer, knowledge, events, now } = this.#options;
    const { namespace, name, uid } = trafficCopy;
    const { pod } = injection;
    const memory = knowledge.memoryOf(uid);
    try {
      const container = await writer.inject(trafficCopy, injection);
      const { injected, refused } = knowledge.memoryOf(uid);
      const others = new Map(refused);
      others.delete(pod.uid);
      const change = new Map(injected).set(pod.uid, { container, atMs: now() });
      // A sidecar there sleeps from the moment on that the new copy takes its place.
      const stopped = new Set(knowledge.memoryOf(uid).stopped).add(pod.uid);
      knowledge.change(uid, { injected: change, refused: others, stopped });
      const about = { resource: PODS, namespace: pod.namespace, name: pod.name, uid: pod.uid };
      const message = `TrafficCopy ${namespace}/${name} copies the traffic of this pod, by container ${container}`;
      events.record({ about, type: 'Normal', reason: 'TrafficCopied', message });
      return true;
    } catch (error) {
      // The pod went, or is another one: the cache will say so.
      if (error instanceof KubeNotFoundError || error instanceof KubeConflictError) return false;
      if (!(error instanceof KubeForbiddenError || error instanceof KubeInvalidError)) throw error;
      const refused = new Map(memory.refused).set(pod.uid, { message: error.message, atMs: now() });
      knowledge.change(uid, { refused });
      return false;
    }
  }

  async #report(trafficCopy: TrafficCopyRecord, decision: Decision): Promise<void> {
    const { writer, knowledge, now } = this.#options;
    const { uid } = trafficCopy;
    if (decision.status !== undefined) {
      const written = await writer.setStatus(trafficCopy, decision.status).catch((error: KubeError) => {
        if (error instanceof KubeNotFoundError) return undefined;
        throw error;
      });
      knowledge.wrote(written);
      knowledge.change(uid, { figuresAtMs: now() });
    }
    this.#announce(trafficCopy, decision);
  }

  #announce({ namespace, name, uid }: TrafficCopyRecord, { events }: Decision): void {
    const about = { resource: TRAFFIC_COPIES, namespace, name, uid };
    for (const event of events) this.#options.events.record({ about, ...event });
  }
}
