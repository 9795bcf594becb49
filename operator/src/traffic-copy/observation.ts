import type { CheckedSpec, CheckedTarget } from '../api/index.js';
import type { CopyLinkState, InterceptLinkState, Traffic } from '../hub/index.js';
import type { NamespaceRecord, PodRecord, TrafficCopyRecord } from '../kube/index.js';
import type { CredentialsState } from './credentials-state.js';

/** Everything that a decision about one TrafficCopy looks at, as it is at one moment. */
export interface Observation {
  readonly trafficCopy: TrafficCopyRecord;
  /** ms since the epoch. */
  readonly nowMs: number;
  /** How long the hub has led: copies and intercepts need a while to come back to a new leader. */
  readonly leadingMs: number;
  /** The TrafficCopy's own. */
  readonly namespace: NamespaceRecord | undefined;
  /** What in the namespace could refuse a pod for one container more: «ResourceQuota compute». */
  readonly limits: readonly string[];
  /** Pods of the namespace that the selector selects, or that hold a copy of this TrafficCopy. */
  readonly pods: readonly ObservedPod[];
  readonly targets: readonly ObservedTarget[];
  /** By node. */
  readonly intercepts: ReadonlyMap<string, InterceptLinkState>;
  /** What the copies say, by UID of their pod. */
  readonly copies: ReadonlyMap<string, CopyLinkState>;
  readonly traffic: Traffic;
  /** What new copies are made from. */
  readonly copyImage: string;
  readonly memory: TrafficCopyMemory;
  /** Undefined: the spec names no credentials. */
  readonly credentials?: CredentialsState | undefined;
}

export interface ObservedPod {
  readonly pod: PodRecord;
  readonly isSelected: boolean;
}

export interface ObservedTarget {
  readonly target: CheckedTarget;
  /** Where its pods are; empty for an address. */
  readonly namespaceName: string;
  readonly namespace: NamespaceRecord | undefined;
  readonly pods: readonly PodRecord[];
}

/** What is known from earlier work on the TrafficCopy and stands nowhere in the cluster. A new leader begins without. */
export interface TrafficCopyMemory {
  /** Injections that were done and that the cache does not show yet: name of the container, by UID of the pod. */
  readonly injected: ReadonlyMap<string, { readonly container: string; readonly atMs: number }>;
  /** Injections that the API server refused, by UID of the pod. */
  readonly refused: ReadonlyMap<string, { readonly message: string; readonly atMs: number }>;
  /** Pods whose copy was told to stop, as they were not selected: a sidecar that has stopped cannot be told from one that runs. */
  readonly stopped: ReadonlySet<string>;
  /** Packets that copies could not capture, and when there were more of them. */
  readonly captureDrops: { readonly count: number; readonly risenAtMs: number };
  /** A copy has run from the image that new copies get. */
  readonly isImageProven: boolean;
  /** When figures were written last. */
  readonly figuresAtMs: number;
  /** Target pods that were granted, with their node: they are clean when the intercept there does not name them any more. */
  readonly granted: ReadonlyMap<string, string>;
}

export const EMPTY_MEMORY: TrafficCopyMemory = {
  injected: new Map(),
  refused: new Map(),
  stopped: new Set(),
  captureDrops: { count: 0, risenAtMs: Number.NEGATIVE_INFINITY },
  isImageProven: false,
  figuresAtMs: 0,
  granted: new Map(),
};

/** The spec, when it can be read. */
export function specOf({ trafficCopy }: Observation): CheckedSpec | undefined {
  return 'problems' in trafficCopy.spec ? undefined : trafficCopy.spec;
}
