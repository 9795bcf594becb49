import { API_GROUP, API_VERSION, TRAFFIC_COPY_KIND, TRAFFIC_COPY_PLURAL } from '../api/index.js';

/** A kind of object of the API server. */
export interface KubeResource {
  /** Empty: the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly isNamespaced: boolean;
}

function resource(group: string, version: string, plural: string, kind: string, isNamespaced = true): KubeResource {
  return { group, version, plural, kind, isNamespaced };
}

export const TRAFFIC_COPIES = resource(API_GROUP, API_VERSION, TRAFFIC_COPY_PLURAL, TRAFFIC_COPY_KIND);
export const PODS = resource('', 'v1', 'pods', 'Pod');
export const NAMESPACES = resource('', 'v1', 'namespaces', 'Namespace', false);
export const NODES = resource('', 'v1', 'nodes', 'Node', false);
export const SECRETS = resource('', 'v1', 'secrets', 'Secret');
export const CONFIG_MAPS = resource('', 'v1', 'configmaps', 'ConfigMap');
export const RESOURCE_QUOTAS = resource('', 'v1', 'resourcequotas', 'ResourceQuota');
export const LIMIT_RANGES = resource('', 'v1', 'limitranges', 'LimitRange');
export const EVENTS = resource('', 'v1', 'events', 'Event');
export const LEASES = resource('coordination.k8s.io', 'v1', 'leases', 'Lease');
export const TOKEN_REVIEWS = resource('authentication.k8s.io', 'v1', 'tokenreviews', 'TokenReview', false);
export const WEBHOOKS = resource(
  'admissionregistration.k8s.io',
  'v1',
  'mutatingwebhookconfigurations',
  'MutatingWebhookConfiguration',
  false,
);
