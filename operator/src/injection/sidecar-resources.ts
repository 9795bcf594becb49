import type { CopyResources } from './copy-container.js';
import type { ContainerManifest, PodManifest } from './pod-manifest.js';

const COMPUTE = ['cpu', 'memory'] as const;

/**
 * Resources of the sidecar in this pod, which must not change the pod's own service: a Guaranteed pod stays Guaranteed
 * (requests are raised to the limits), and where the pod has resources as a whole the sidecar lives within them.
 */
export function sidecarResources(pod: PodManifest, configured: CopyResources): CopyResources | undefined {
  if (pod.hasPodResources) return undefined;
  if (!isGuaranteed(pod)) return configured;
  const limits = { ...configured.requests, ...configured.limits };
  return { requests: limits, limits };
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
