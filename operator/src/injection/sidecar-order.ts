import type { LabelSelector } from '../api/index.js';
import type { CopyContainerSettings } from './copy-container.js';

/** New pods that a TrafficCopy wants to copy, as the controller knows it at this moment. */
export interface SidecarOrder {
  readonly namespace: string;
  readonly selector: LabelSelector;
  /** Pods that one of these selects get none: they are targets of the same TrafficCopy. */
  readonly except: readonly LabelSelector[];
  readonly settings: CopyContainerSettings;
  /** Why a pod with a sidecar could be refused in this namespace: its Pod Security level, a quota. Undefined: it would not. */
  readonly refusal: string | undefined;
}
