import { type CheckedSpec, selects } from '../api/index.js';
import type { CopyLinkState, TrafficHub } from '../hub/index.js';
import type { TrafficCopyRecord } from '../kube/index.js';
import type { ClusterCache } from './cluster-cache.js';
import { holdsCopy, selectsSource } from './concerned.js';
import type { CredentialsState } from './credentials-state.js';
import type { Observation, ObservedPod, ObservedTarget, TrafficCopyMemory } from './observation.js';

/** Brings together what a decision needs, from caches alone. */
export function gather(
  cache: ClusterCache,
  hub: TrafficHub,
  trafficCopy: TrafficCopyRecord,
  memory: TrafficCopyMemory,
  nowMs: number,
  copyImage: string,
  credentials?: CredentialsState,
): Observation {
  const { namespace, uid } = trafficCopy;
  const spec = 'problems' in trafficCopy.spec ? undefined : trafficCopy.spec;
  const copies = new Map<string, CopyLinkState>(hub.copies(uid).map((copy) => [copy.podUid, copy]));
  return {
    trafficCopy,
    nowMs,
    leadingMs: hub.leadingMs,
    namespace: cache.namespace(namespace),
    limits: cache.limitsOf(namespace),
    pods: observedPods(cache, trafficCopy),
    targets: spec === undefined ? [] : observedTargets(cache, namespace, spec),
    intercepts: new Map(hub.intercepts().map((intercept) => [intercept.node, intercept])),
    copies,
    traffic: hub.traffic(uid),
    copyImage,
    memory,
    credentials,
  };
}

function observedPods(cache: ClusterCache, trafficCopy: TrafficCopyRecord): ObservedPod[] {
  const { namespace, uid } = trafficCopy;
  const pods: ObservedPod[] = [];
  for (const pod of cache.podsIn(namespace)) {
    const isSelected = selectsSource(trafficCopy, namespace, pod.labels);
    if (isSelected || holdsCopy(pod, uid)) pods.push({ pod, isSelected });
  }
  return pods;
}

function observedTargets(cache: ClusterCache, ownNamespace: string, spec: CheckedSpec): ObservedTarget[] {
  return spec.targets.map((target): ObservedTarget => {
    if (target.place.kind === 'address') return { target, namespaceName: '', namespace: undefined, pods: [] };
    const { selector, namespace: namespaceName = ownNamespace } = target.place;
    const pods = [...cache.podsIn(namespaceName)].filter((pod) => selects(selector, pod.labels));
    return { target, namespaceName, namespace: cache.namespace(namespaceName), pods };
  });
}
