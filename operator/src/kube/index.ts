/**
 * The API server: the only part that imports its client library, and only for kubeconfigs. Everything that the operator does there goes through KubeClient, which
 * checks each call against KUBE_VERBS; everything it knows from there comes through informers.
 *
 * Invariants. Every failure is a KubeError of a class that says what can be done about it. An informer never ends by itself, and never holds more of an object
 * than its record. Nothing that the API server sends makes reading throw.
 */
export * from './event-recorder.js';
export * from './informer.js';
export type { KubeAccess } from './kube-access.js';
export * from './kube-client.js';
export { KubeConnection } from './kube-connection.js';
export * from './kube-error.js';
export * from './kube-object.js';
export * from './kube-resource.js';
export * from './kube-verbs.js';
export * from './leader-election.js';
export * from './namespace-record.js';
export * from './node-record.js';
export { type CopyContainerRecord, type PodRecord, readPod } from './pod-record.js';
export * from './quota-record.js';
export { retryDelayMs } from './retry-delay.js';
export * from './token-review.js';
export * from './traffic-copy-record.js';
