import type { LabelSelector } from '@trafficcopy/operator/api';
import type { ClusterObject } from '../cluster/cluster.js';
import { ClusterError } from '../cluster/cluster-error.js';

/**
 * The selector of a workload's pods.
 * @throws ClusterError ERR_CLUSTER_INVALID: it selects none (a Service without a selector).
 */
export function podSelectorOf(workload: ClusterObject): LabelSelector {
  const selector = (workload.spec as { selector?: unknown } | undefined)?.selector;
  const isService = workload.kind === 'Service';
  const found = (isService ? { matchLabels: selector } : selector) as LabelSelector | undefined;
  const labels = Object.keys(found?.matchLabels ?? {}).length;
  if (labels + (found?.matchExpressions?.length ?? 0) === 0) {
    const message = `${workload.kind} ${workload.metadata?.name} selects no pods by label: name the workload behind it`;
    throw new ClusterError('ERR_CLUSTER_INVALID', message);
  }
  return found!;
}
