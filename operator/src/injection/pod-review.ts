import { selects } from '../api/index.js';
import { injectionObstacle } from './injection-obstacle.js';
import { type PodManifest, readPodManifest } from './pod-manifest.js';
import type { ReviewOutcome } from './review-outcome.js';
import type { SidecarOrder } from './sidecar-order.js';
import { type JsonPatchOperation, sidecarPatch } from './sidecar-patch.js';

/** The question of the API server: AdmissionReview.request, as far as it matters here. */
export interface PodReview {
  readonly uid: string;
  readonly namespace: string;
  /** Undefined: nothing that we know how to patch. */
  readonly pod: PodManifest | undefined;
}

/** @returns undefined when `value` is no AdmissionReview of admission.k8s.io/v1. */
export function readPodReview(value: unknown): PodReview | undefined {
  const review = record(value);
  const request = record(review?.['request']);
  const { uid, namespace } = request ?? {};
  if (review?.['apiVersion'] !== 'admission.k8s.io/v1' || typeof uid !== 'string') return undefined;
  return {
    uid,
    namespace: typeof namespace === 'string' ? namespace : '',
    pod: request?.['operation'] === 'CREATE' ? readPodManifest(request['object']) : undefined,
  };
}

export interface PodVerdict {
  readonly outcome: ReviewOutcome;
  readonly patch?: readonly JsonPatchOperation[];
}

/** The same for a dry run: looking at a pod has no side effects. */
export function judgePod(review: PodReview, order: SidecarOrder | undefined): PodVerdict {
  if (order === undefined) return { outcome: 'NotWanted' };
  if (review.pod === undefined) return { outcome: 'NotUnderstood' };
  const { labels } = review.pod;
  const isSelected = selects(order.selector, labels) && !order.except.some((selector) => selects(selector, labels));
  if (review.namespace !== order.namespace || !isSelected) return { outcome: 'NotSelected' };
  if (order.refusal !== undefined) return { outcome: 'NamespaceRefuses' };
  const obstacle = injectionObstacle(review.pod);
  if (obstacle !== undefined) return { outcome: obstacle };
  const patch = sidecarPatch(review.pod, order.settings);
  return patch === undefined ? { outcome: 'AlreadyInjected' } : { outcome: 'Patched', patch };
}

/** AdmissionReview.response: always "allowed". */
export function reviewAnswer(uid: string, { patch }: PodVerdict): object {
  const patched =
    patch === undefined ? {} : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') };
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid, allowed: true, ...patched },
  };
}

function record(value: unknown): { readonly [key: string]: unknown } | undefined {
  return typeof value === 'object' && value !== null ? (value as { readonly [key: string]: unknown }) : undefined;
}
