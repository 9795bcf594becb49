import type { KubeObject } from './kube-object.js';

const PLURALS: Readonly<Record<string, string>> = {
  Ingress: 'ingresses',
  NetworkPolicy: 'networkpolicies',
  TrafficCopy: 'trafficcopies',
  PriorityClass: 'priorityclasses',
  Endpoints: 'endpoints',
};
const CLUSTER_WIDE = new Set([
  ...['Namespace', 'Node', 'ClusterRole', 'ClusterRoleBinding', 'CustomResourceDefinition', 'PriorityClass'],
  ...['MutatingWebhookConfiguration', 'ValidatingAdmissionPolicy'],
]);

export interface Kind {
  readonly apiVersion: string;
  readonly kind: string;
}

/** The API path of a kind's collection in a namespace (none: all namespaces), or of one object in it. */
export function resourcePath({ apiVersion, kind }: Kind, namespace?: string, name?: string): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const plural = PLURALS[kind] ?? `${kind.toLowerCase()}s`;
  const scope = CLUSTER_WIDE.has(kind) || namespace === undefined ? '' : `/namespaces/${namespace}`;
  return `${root}${scope}/${plural}${name === undefined ? '' : `/${name}`}`;
}

export function pathOf(object: KubeObject): string {
  return resourcePath(object, object.metadata.namespace, object.metadata.name);
}
