import { INJECT_LABEL, type LabelSelector } from '../api/index.js';

/** A TrafficCopy that wants sidecars in new pods. */
export interface WebhookEntry {
  readonly uid: string;
  readonly namespace: string;
  readonly selector: LabelSelector;
}

/** Where the API server finds the webhook. */
export interface WebhookService {
  /** The operator's own, whose pods are never asked about: it must be able to start without itself. */
  readonly namespace: string;
  readonly name: string;
  /** PEM of the authority that signed the webhook's certificate. */
  readonly authority: string;
}

export interface WebhookConfiguration {
  readonly apiVersion: 'admissionregistration.k8s.io/v1';
  readonly kind: 'MutatingWebhookConfiguration';
  readonly metadata: { readonly name: typeof WEBHOOK_CONFIGURATION_NAME };
  readonly webhooks: readonly object[];
}

export const WEBHOOK_CONFIGURATION_NAME = 'trafficcopy';
/** The last part of a webhook's path is the UID of the TrafficCopy that it is for. */
export const WEBHOOK_PATH = '/inject/';
const TIMEOUT_SECONDS = 2;

/**
 * One webhook for each TrafficCopy, for just the pods that it selects. Undefined when there is none: then the
 * configuration must not exist.
 */
export function webhookConfiguration(
  entries: readonly WebhookEntry[],
  service: WebhookService,
): WebhookConfiguration | undefined {
  const webhooks = entries
    .filter((entry) => entry.namespace !== service.namespace && !isEmpty(entry.selector))
    // One order whatever the order of the caller: what is equal must look equal.
    .toSorted((a, b) => (a.uid < b.uid ? -1 : 1))
    .map((entry) => webhook(entry, service));
  if (webhooks.length === 0) return undefined;
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: WEBHOOK_CONFIGURATION_NAME },
    webhooks,
  };
}

function webhook({ uid, namespace, selector }: WebhookEntry, service: WebhookService): object {
  return {
    name: `${uid}.inject.trafficcopy.dev`,
    admissionReviewVersions: ['v1'],
    clientConfig: {
      service: { namespace: service.namespace, name: service.name, path: `${WEBHOOK_PATH}${uid}`, port: 443 },
      caBundle: Buffer.from(service.authority).toString('base64'),
    },
    rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: 'Namespaced' }],
    namespaceSelector: {
      matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: [namespace] }],
    },
    objectSelector: {
      ...(selector.matchLabels === undefined ? {} : { matchLabels: selector.matchLabels }),
      matchExpressions: [
        ...(selector.matchExpressions ?? []),
        { key: INJECT_LABEL, operator: 'NotIn', values: ['false'] },
      ],
    },
    matchConditions: MATCH_CONDITIONS,
    matchPolicy: 'Equivalent',
    // Production starts, whatever happens here.
    failurePolicy: 'Ignore',
    timeoutSeconds: TIMEOUT_SECONDS,
    sideEffects: 'None',
    // What other webhooks add later changes nothing about our container.
    reinvocationPolicy: 'Never',
  };
}

/** What spares the API server the question. The webhook looks at the same again, and at more. */
const MATCH_CONDITIONS = [
  { name: 'own-network', expression: '!has(object.spec.hostNetwork) || !object.spec.hostNetwork' },
  {
    name: 'no-mirror-pod',
    expression: "!has(object.metadata.annotations) || !('kubernetes.io/config.mirror' in object.metadata.annotations)",
  },
] as const;

/** An empty selector would select every pod of the namespace. */
function isEmpty({ matchLabels, matchExpressions }: LabelSelector): boolean {
  return Object.keys(matchLabels ?? {}).length === 0 && (matchExpressions ?? []).length === 0;
}
