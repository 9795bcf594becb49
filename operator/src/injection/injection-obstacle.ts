import { INJECT_LABEL } from '../api/index.js';
import type { PodManifest } from './pod-manifest.js';

/** Why a pod gets no copy, whatever a TrafficCopy selects. */
export type InjectionObstacle = 'HostNetwork' | 'OptedOut' | 'Windows' | 'MirrorPod';

const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';

export function injectionObstacle(
  pod: Pick<PodManifest, 'labels' | 'annotations' | 'isHostNetwork' | 'isWindows'>,
): InjectionObstacle | undefined {
  if (pod.labels[INJECT_LABEL] === 'false') return 'OptedOut';
  // Its network is the node's: other pods' traffic would be seen as well.
  if (pod.isHostNetwork) return 'HostNetwork';
  if (pod.isWindows) return 'Windows';
  // The shadow of a file on the node, which the kubelet does not read back.
  if (MIRROR_ANNOTATION in pod.annotations) return 'MirrorPod';
  return undefined;
}
