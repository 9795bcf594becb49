import type { ClusterObject } from '../cluster/cluster.js';
import { ClusterError } from '../cluster/cluster-error.js';

/** A label selector as the API has it. */
export interface PodSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly MatchExpression[];
}

export interface MatchExpression {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

/**
 * The selector of a workload's pods.
 * @throws ClusterError ERR_CLUSTER_INVALID: it selects none (a Service without a selector).
 */
export function podSelectorOf(workload: ClusterObject): PodSelector {
  const selector = (workload.spec as { selector?: unknown } | undefined)?.selector;
  const isService = workload.kind === 'Service';
  const found = (isService ? { matchLabels: selector } : selector) as PodSelector | undefined;
  const labels = Object.keys(found?.matchLabels ?? {}).length;
  if (labels + (found?.matchExpressions?.length ?? 0) === 0) {
    const message = `${workload.kind} ${workload.metadata?.name} selects no pods by label: name the workload behind it`;
    throw new ClusterError('ERR_CLUSTER_INVALID', message);
  }
  return found!;
}

/** Whether a pod with these labels is selected (Kubernetes API conventions, label selectors). */
export function selectsLabels(selector: PodSelector, labels: Readonly<Record<string, string>>): boolean {
  const byLabels = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return byLabels && (selector.matchExpressions ?? []).every((expression) => fits(expression, labels));
}

function fits({ key, operator, values = [] }: MatchExpression, labels: Readonly<Record<string, string>>): boolean {
  const value = labels[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}
