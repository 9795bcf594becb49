import type { CopySettings, InterceptPodSettings } from '@trafficcopy/core';
import type { LabelSelector, TrafficCopyStatus } from '../api/index.js';
import type { Injection } from './source-plan.js';

/** What should be, for one TrafficCopy. Carrying it out twice does nothing twice. */
export interface Decision {
  readonly finalizer: 'present' | 'absent';
  /** The Secret with the token. */
  readonly secret: 'present' | 'absent';
  readonly injections: readonly Injection[];
  /** STOP for every copy, now and later: why. */
  readonly stopAll: string | undefined;
  /** STOP for the copies in these pods. */
  readonly stops: readonly string[];
  /** By UID of the pod; what is not in it stays as it is. */
  readonly copySettings: ReadonlyMap<string, CopySettings>;
  /** Target pods, by node; `asBefore`: copies are to stop before their targets do. */
  readonly nodes: ReadonlyMap<string, readonly InterceptPodSettings[]> | 'asBefore';
  /** New pods that this selects get a sidecar; undefined: none do. */
  readonly webhook: LabelSelector | undefined;
  /** Undefined: it stays as it is. */
  readonly status: TrafficCopyStatus | undefined;
  readonly events: readonly DecidedEvent[];
  /** When to look again though nothing has changed. */
  readonly lookAgainMs: number | undefined;
}

export interface DecidedEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}
