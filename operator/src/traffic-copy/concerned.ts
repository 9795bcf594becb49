import { copyContainerGeneration, type LabelSelector, type Labels, selects } from '../api/index.js';
import type { PodRecord, TrafficCopyRecord } from '../kube/index.js';

/** Whether a change of the pod can matter to the TrafficCopy: as a source, a former source, or a target. */
export function concernsPod(trafficCopy: TrafficCopyRecord, pod: PodRecord): boolean {
  const isOwn = trafficCopy.namespace === pod.namespace;
  if (isOwn && holdsCopy(pod, trafficCopy.uid)) return true;
  const { spec } = trafficCopy;
  if ('problems' in spec) return false;
  if (isOwn && selects(spec.sourceSelector, pod.labels)) return true;
  return spec.targets.some(({ place }) => {
    if (place.kind === 'address') return false;
    return (place.namespace ?? trafficCopy.namespace) === pod.namespace && selects(place.selector, pod.labels);
  });
}

export function concernsNamespace(trafficCopy: TrafficCopyRecord, name: string): boolean {
  if (trafficCopy.namespace === name) return true;
  const { spec } = trafficCopy;
  return !('problems' in spec) && spec.targets.some(({ place }) => place.kind === 'pods' && place.namespace === name);
}

/**
 * Whether the TrafficCopy selects pods with the labels, in the namespace, as sources. What it selects as a target is never a source: the label of a canary often comes on top of those of
 * the version in service, and copies of copies would go in circles.
 */
export function selectsSource(trafficCopy: TrafficCopyRecord, namespace: string, labels: Labels): boolean {
  const { spec } = trafficCopy;
  if (trafficCopy.namespace !== namespace || 'problems' in spec) return false;
  return selects(spec.sourceSelector, labels) && !ownTargets(trafficCopy).some((target) => selects(target, labels));
}

/** Selectors of targets in the TrafficCopy's own namespace. */
export function ownTargets({ namespace, spec }: TrafficCopyRecord): LabelSelector[] {
  if ('problems' in spec) return [];
  return spec.targets.flatMap(({ place }) => {
    const isOwn = place.kind === 'pods' && (place.namespace ?? namespace) === namespace;
    return isOwn ? [place.selector] : [];
  });
}

/** Whether a container of this TrafficCopy is or was in the pod. */
export function holdsCopy(pod: PodRecord, uid: string): boolean {
  return pod.copies.some((copy) => copyContainerGeneration(copy.name, uid) !== undefined);
}
