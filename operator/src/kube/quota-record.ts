import type { InformerItem } from './informer.js';
import { listAt, readKubeObject, textsAt, valueAt } from './kube-object.js';

/** A ResourceQuota or LimitRange, as far as it can refuse a pod for one container more. */
export interface QuotaRecord extends InformerItem {
  readonly namespace: string;
  readonly limitsContainers: boolean;
}

/** Quotas on these count containers; others (objects, storage) do not. */
const COMPUTE_PATTERN = /^((requests|limits)\.)?(cpu|memory)$/;

export function readResourceQuota(value: unknown): QuotaRecord | undefined {
  const hard = valueAt(value, 'spec', 'hard') as object | undefined;
  return readQuota(
    value,
    Object.keys(hard ?? {}).some((key) => COMPUTE_PATTERN.test(key)),
  );
}

/** Defaults fill in what a container leaves out, which hurts nobody; bounds can refuse the pod. */
export function readLimitRange(value: unknown): QuotaRecord | undefined {
  const bounds = listAt(value, 'spec', 'limits').flatMap((limit) =>
    ['min', 'max', 'maxLimitRequestRatio'].flatMap((bound) => Object.keys(textsAt(limit, bound))),
  );
  return readQuota(
    value,
    bounds.some((key) => COMPUTE_PATTERN.test(key)),
  );
}

function readQuota(value: unknown, limitsContainers: boolean): QuotaRecord | undefined {
  const metadata = readKubeObject(value)?.metadata;
  if (metadata?.namespace === undefined) return undefined;
  return { namespace: metadata.namespace, name: metadata.name, uid: metadata.uid, limitsContainers };
}
