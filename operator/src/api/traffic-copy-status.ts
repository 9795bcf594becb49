export const CONDITION_TYPES = ['Ready', 'SourcesInjected', 'TargetsReady', 'Copying', 'Degraded'] as const;
export type ConditionType = (typeof CONDITION_TYPES)[number];

/** metav1.Condition. */
export interface Condition {
  readonly type: ConditionType;
  readonly status: 'True' | 'False' | 'Unknown';
  /** CamelCase, for programs. */
  readonly reason: string;
  /** For people: what it means, and what to change. */
  readonly message: string;
  readonly observedGeneration: number;
  /** RFC 3339, whole seconds. */
  readonly lastTransitionTime: string;
}

/** What the operator says about a TrafficCopy. */
export interface TrafficCopyStatus {
  readonly observedGeneration?: number;
  readonly conditions?: readonly Condition[];
  readonly sources?: { readonly selected: number; readonly injected: number; readonly copying: number };
  readonly targets?: readonly TargetStatus[];
  readonly traffic?: TrafficStatus;
  /** The most frequent first. */
  readonly losses?: readonly { readonly reason: string; readonly turns: number }[];
  readonly startTime?: string;
  /** While there is a ramp and copying goes on. */
  readonly rampStartTime?: string;
  readonly completionTime?: string;
  readonly summary?: { readonly sources: string; readonly targets: string; readonly sample: string };
}

export interface TargetStatus {
  readonly name: string;
  readonly selected: number;
  readonly ready: number;
}

export interface TrafficStatus {
  readonly connections: number;
  readonly sessionsOpen: number;
  readonly turnsCaptured: number;
  readonly turnsDelivered: number;
  readonly turnsPending: number;
  readonly turnsLost: number;
  readonly turnsPerSecond: number;
  readonly lostPercent: string;
}
