import { type CopyContainer, type CopyContainerSettings, copyContainer } from './copy-container.js';

/**
 * The copy as an ephemeral container of a running pod. It is not restarted by the kubelet, has no influence on the pod's
 * readiness, and cannot have resources, probes or volumes of its own. It has no service account token, as the API server
 * mounts tokens only when a pod is created. It waits for the Secrets of intercepts outside the cluster, as it would never
 * get them later, and keeps nobody waiting. Its image is pulled with the pod's imagePullSecrets, which cannot be added to.
 *
 * @param n counts from 1 with every replacement: a name cannot be used twice in a pod.
 */
export function ephemeralCopyContainer(settings: CopyContainerSettings, n: number): CopyContainer {
  return copyContainer(settings, n, true);
}
