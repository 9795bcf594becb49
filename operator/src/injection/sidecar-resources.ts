import { parseQuantity } from '../api/index.js';
import type { CopyContainerSettings, CopyResources } from './copy-container.js';
import type { ContainerManifest, PodManifest } from './pod-manifest.js';

const COMPUTE = ['cpu', 'memory'] as const;
const MEBIBYTE = 1024 * 1024;

/**
 * Resources of the sidecar in this pod, which must not change the pod's own service: a Guaranteed pod stays Guaranteed
 * (requests are raised to the limits), and where the pod has resources as a whole the sidecar lives within them.
 */
export function sidecarResources(pod: PodManifest, settings: CopyContainerSettings): CopyResources | undefined {
  if (pod.hasPodResources) return undefined;
  const resources = withMemory(settings);
  if (!isGuaranteed(pod)) return resources;
  const limits = { ...resources.requests, ...resources.limits };
  return { requests: limits, limits };
}

/** A container that is killed for its memory makes its pod unready: the limit is never below what the copy may use. */
function withMemory({ resources, memoryBytes = 0 }: CopyContainerSettings): CopyResources {
  const { memory } = resources.limits ?? {};
  if (memory === undefined || (parseQuantity(memory) ?? 0) >= memoryBytes) return resources;
  return { ...resources, limits: { ...resources.limits, memory: `${Math.ceil(memoryBytes / MEBIBYTE)}Mi` } };
}

/** As the API server classifies: every container limits cpu and memory and requests just that. */
function isGuaranteed({ containers, initContainers }: PodManifest): boolean {
  return [...containers, ...(initContainers ?? [])].every(requestsItsLimits);
}

function requestsItsLimits({ requests, limits }: ContainerManifest): boolean {
  return COMPUTE.every((resource) => {
    const limit = limits[resource];
    return limit !== undefined && (requests[resource] ?? limit) === limit;
  });
}
