import { type CheckedSpec, checkSpec, type SpecProblems, type TrafficCopyStatus } from '../api/index.js';
import type { InformerItem } from './informer.js';
import { readKubeObject, textAt, valueAt } from './kube-object.js';

/** What the operator keeps of a TrafficCopy. */
export interface TrafficCopyRecord extends InformerItem {
  readonly namespace: string;
  readonly generation: number;
  readonly resourceVersion: string;
  readonly isDeleting: boolean;
  /** ms since the epoch; 0 when it is not being deleted. */
  readonly deletionAtMs: number;
  readonly finalizers: readonly string[];
  readonly spec: CheckedSpec | SpecProblems;
  /** As it stands in the API server. */
  readonly status: TrafficCopyStatus;
}

export function readTrafficCopy(value: unknown): TrafficCopyRecord | undefined {
  const object = readKubeObject(value);
  if (object?.metadata.namespace === undefined) return undefined;
  const { namespace, name, uid, generation = 0, resourceVersion, finalizers } = object.metadata;
  const deletionTimestamp = textAt(object, 'metadata', 'deletionTimestamp');
  const status = valueAt(object, 'status');
  return {
    namespace,
    name,
    uid,
    generation,
    resourceVersion,
    isDeleting: deletionTimestamp !== undefined,
    deletionAtMs: deletionTimestamp === undefined ? 0 : Date.parse(deletionTimestamp) || 0,
    finalizers: finalizers ?? [],
    spec: checkSpec(object['spec']),
    status: typeof status === 'object' && status !== null ? (status as TrafficCopyStatus) : {},
  };
}
