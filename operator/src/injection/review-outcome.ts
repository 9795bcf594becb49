import type { InjectionObstacle } from './injection-obstacle.js';

/** What became of a review. All but `Patched` let the pod pass as it is; for metrics. */
export type ReviewOutcome =
  | 'Patched'
  /** No such TrafficCopy, or it wants no sidecars any more. */
  | 'NotWanted'
  | 'NotSelected'
  /** The namespace could refuse the pod with a sidecar. */
  | 'NamespaceRefuses'
  | 'AlreadyInjected'
  | InjectionObstacle
  | 'NotUnderstood';
