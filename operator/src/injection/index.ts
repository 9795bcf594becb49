/**
 * How a copy comes into a source pod without a restart: running pods get an ephemeral container, which the controller adds;
 * new pods get a native sidecar from the webhook here.
 *
 * Production comes first, so these hold. The webhook never refuses a pod, and asks nobody while the API server waits: what it
 * knows is in memory, any doubt means that the pod passes as it is. A copy needs nothing that could keep a pod from starting
 * but its image (its Secret is optional), does not change the pod's class of service, readiness or eviction, and has no
 * more rights than NET_RAW: no service account token, no writable file, no mount of the pod.
 */
export {
  type CopyContainer,
  type CopyContainerSettings,
  type CopyResources,
  type ImagePullPolicy,
  SECURITY_CONTEXT,
} from './copy-container.js';
export { ephemeralCopyContainer } from './ephemeral-container.js';
export { type InjectionObstacle, injectionObstacle } from './injection-obstacle.js';
export { type PodManifest, readPodManifest } from './pod-manifest.js';
export type { ReviewOutcome } from './review-outcome.js';
export type { SidecarOrder } from './sidecar-order.js';
export { type JsonPatchOperation, sidecarPatch } from './sidecar-patch.js';
export {
  type WebhookConfiguration,
  type WebhookEntry,
  type WebhookService,
  webhookConfiguration,
} from './webhook-configuration.js';
export { type WebhookCredentials, WebhookServer, type WebhookServerOptions } from './webhook-server.js';
