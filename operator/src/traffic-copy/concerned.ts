import { type Labels, selects } from '../api/index.js';
import type { PodRecord, TrafficCopyRecord } from '../kube/index.js';
import { holdsCopy } from './gather.js';

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

/** Whether the TrafficCopy selects pods with the labels, in the namespace, as sources. */
export function selectsSource(trafficCopy: TrafficCopyRecord, namespace: string, labels: Labels): boolean {
  const { spec } = trafficCopy;
  return trafficCopy.namespace === namespace && !('problems' in spec) && selects(spec.sourceSelector, labels);
}
