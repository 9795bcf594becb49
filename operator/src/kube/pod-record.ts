import { INTERCEPT_TOKEN_PREFIX } from '@trafficcopy/core';
import type { InformerItem } from './informer.js';
import { listAt, readKubeObject, textAt, textsAt, valueAt } from './kube-object.js';

/** What the operator keeps of a pod. */
export interface PodRecord extends InformerItem {
  readonly namespace: string;
  readonly labels: { readonly [key: string]: string };
  readonly annotations: { readonly [key: string]: string };
  readonly nodeName: string;
  readonly phase: string;
  readonly isReady: boolean;
  readonly isTerminating: boolean;
  readonly isHostNetwork: boolean;
  readonly isWindows: boolean;
  /** The name of a service mesh whose sidecar is in the pod. */
  readonly mesh: string | undefined;
  readonly addresses: readonly string[];
  readonly copies: readonly CopyContainerRecord[];
}

/** A container that a TrafficCopy brought into the pod. */
export interface CopyContainerRecord {
  readonly name: string;
  readonly image: string;
  readonly kind: 'ephemeral' | 'sidecar';
  readonly state: 'waiting' | 'running' | 'terminated';
  /** Of waiting and terminated: ImagePullBackOff, Error. */
  readonly reason: string;
  readonly message: string;
  /** Of terminated. */
  readonly exitCode: number;
  readonly finishedAtMs: number;
  /** Its environment variables for tokens of intercepts outside the cluster. */
  readonly tokenVariables: readonly string[];
}

/** Sidecars that end TLS in the pod, by the name of their container. */
const MESH_CONTAINERS: Readonly<Record<string, string>> = {
  'istio-proxy': 'Istio',
  'linkerd-proxy': 'Linkerd',
  'consul-dataplane': 'Consul',
  'kuma-sidecar': 'Kuma',
  'envoy-sidecar': 'Envoy',
  envoy: 'Envoy',
};
/** Our own containers' names begin so. */
const COPY_PREFIX = 'trafficcopy-';
/** The only annotation of a pod that is looked at: the shadow of a file on the node. */
const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';
const MESSAGE_LENGTH_MAX = 300;

export function readPod(value: unknown): PodRecord | undefined {
  const object = readKubeObject(value);
  const namespace = object?.metadata.namespace;
  if (object === undefined || namespace === undefined) return undefined;
  const { metadata } = object;
  const mirror = textAt(metadata, 'annotations', MIRROR_ANNOTATION);
  return {
    namespace,
    name: metadata.name,
    uid: metadata.uid,
    labels: textsAt(metadata, 'labels'),
    annotations: mirror === undefined ? {} : { [MIRROR_ANNOTATION]: mirror },
    nodeName: textAt(object, 'spec', 'nodeName') ?? '',
    phase: textAt(object, 'status', 'phase') ?? 'Unknown',
    isReady: isConditionTrue(object, 'Ready'),
    isTerminating: metadata.deletionTimestamp !== undefined,
    isHostNetwork: valueAt(object, 'spec', 'hostNetwork') === true,
    isWindows: isWindows(object),
    mesh: meshOf(object),
    addresses: addressesOf(object),
    copies: [...copiesOf(object, 'ephemeral'), ...copiesOf(object, 'sidecar')],
  };
}

export function isConditionTrue(object: unknown, type: string): boolean {
  return listAt(object, 'status', 'conditions').some(
    (condition) => textAt(condition, 'type') === type && textAt(condition, 'status') === 'True',
  );
}

function isWindows(pod: unknown): boolean {
  const os = textAt(pod, 'spec', 'os', 'name') ?? textAt(pod, 'spec', 'nodeSelector', 'kubernetes.io/os');
  return os === 'windows';
}

function meshOf(pod: unknown): string | undefined {
  for (const container of [...listAt(pod, 'spec', 'containers'), ...listAt(pod, 'spec', 'initContainers')]) {
    const name = textAt(container, 'name') ?? '';
    if (Object.hasOwn(MESH_CONTAINERS, name)) return MESH_CONTAINERS[name];
  }
  return undefined;
}

function addressesOf(pod: unknown): string[] {
  const addresses = listAt(pod, 'status', 'podIPs').flatMap((item) => textAt(item, 'ip') ?? []);
  return addresses.length > 0 ? addresses : [textAt(pod, 'status', 'podIP') ?? ''].filter(Boolean);
}

function copiesOf(pod: unknown, kind: CopyContainerRecord['kind']): CopyContainerRecord[] {
  const isEphemeral = kind === 'ephemeral';
  const containers = listAt(pod, 'spec', isEphemeral ? 'ephemeralContainers' : 'initContainers');
  const copies = containers.filter((one) => textAt(one, 'name')?.startsWith(COPY_PREFIX));
  if (copies.length === 0) return [];
  const statuses = listAt(pod, 'status', isEphemeral ? 'ephemeralContainerStatuses' : 'initContainerStatuses');
  return copies.map((container) => {
    const name = textAt(container, 'name') ?? '';
    const image = textAt(container, 'image') ?? '';
    const state = stateOf(statuses.find((status) => textAt(status, 'name') === name));
    return { name, image, kind, ...state, tokenVariables: tokenVariablesOf(container) };
  });
}

function tokenVariablesOf(container: unknown): string[] {
  const names = listAt(container, 'env').flatMap((variable) => textAt(variable, 'name') ?? []);
  return names.filter((name) => name.startsWith(INTERCEPT_TOKEN_PREFIX));
}

function stateOf(status: unknown): Omit<CopyContainerRecord, 'name' | 'image' | 'kind' | 'tokenVariables'> {
  const none = { reason: '', message: '', exitCode: 0, finishedAtMs: 0 };
  const terminated = valueAt(status, 'state', 'terminated');
  if (terminated !== undefined) {
    return {
      state: 'terminated',
      reason: textAt(terminated, 'reason') ?? '',
      message: (textAt(terminated, 'message') ?? '').slice(-MESSAGE_LENGTH_MAX),
      exitCode: exitCodeOf(terminated),
      finishedAtMs: Date.parse(textAt(terminated, 'finishedAt') ?? '') || 0,
    };
  }
  if (valueAt(status, 'state', 'running') !== undefined) return { ...none, state: 'running' };
  const waiting = valueAt(status, 'state', 'waiting');
  const message = (textAt(waiting, 'message') ?? '').slice(0, MESSAGE_LENGTH_MAX);
  return { ...none, state: 'waiting', reason: textAt(waiting, 'reason') ?? '', message };
}

function exitCodeOf(terminated: unknown): number {
  const exitCode = valueAt(terminated, 'exitCode');
  return typeof exitCode === 'number' ? exitCode : 0;
}
