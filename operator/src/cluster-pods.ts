import type { KnownPod, KnownPods } from './identity/index.js';
import { injectionObstacle } from './injection/index.js';
import { type ClusterCache, selectsSource } from './traffic-copy/index.js';

const COMPONENT_LABEL = 'app.kubernetes.io/component';

/** Pods as the cache knows them, for deciding who is let in. */
export class ClusterPods implements KnownPods {
  readonly #cache: ClusterCache;
  readonly #namespace: string;

  /** @param namespace the operator's own */
  constructor(cache: ClusterCache, namespace: string) {
    this.#cache = cache;
    this.#namespace = namespace;
  }

  podAt(address: string): KnownPod | undefined {
    return this.#cache.podAt(address);
  }

  isSource(trafficCopyUid: string, podUid: string): boolean {
    const trafficCopy = this.#cache.trafficCopyOf(trafficCopyUid);
    const pod = this.#cache.podOf(podUid);
    if (trafficCopy === undefined || pod === undefined) return false;
    return selectsSource(trafficCopy, pod.namespace, pod.labels) && injectionObstacle(pod) === undefined;
  }

  hasIntercept(node: string): boolean {
    for (const pod of this.#cache.podsIn(this.#namespace)) {
      if (pod.nodeName === node && pod.labels[COMPONENT_LABEL] === 'intercept') return true;
    }
    return false;
  }
}
