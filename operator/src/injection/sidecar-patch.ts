import { type CopyContainer, type CopyContainerSettings, type CopyResources, copyContainer } from './copy-container.js';
import { injectionObstacle } from './injection-obstacle.js';
import type { PodManifest } from './pod-manifest.js';
import { sidecarResources } from './sidecar-resources.js';

/** RFC 6902; only what adds. */
export interface JsonPatchOperation {
  readonly op: 'add';
  readonly path: string;
  readonly value: unknown;
}

const SIDECAR = 0;
const SUPERVISOR = '/usr/local/bin/trafficcopy-supervise';
const PROGRAM = '/usr/local/bin/trafficcopy';
const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const NO_TOKEN_VOLUME = 'trafficcopy-no-token';

/**
 * The patch that adds the copy to a new pod as a native sidecar (an init container that goes on). It stands first: it
 * starts before, and ends after, everything else in the pod. Undefined: there is nothing to add.
 */
export function sidecarPatch(pod: PodManifest, settings: CopyContainerSettings): JsonPatchOperation[] | undefined {
  if (injectionObstacle(pod) !== undefined) return undefined;
  const container = sidecarContainer(settings, sidecarResources(pod, settings));
  const known = [...(pod.initContainers ?? []), ...pod.containers];
  if (known.some(({ name }) => name === container.name)) return undefined;
  return [...volumePatch(pod), ...listPatch('/spec/initContainers', pod.initContainers, container, 0)];
}

interface SidecarContainer extends CopyContainer {
  readonly restartPolicy: 'Always';
  readonly resources?: CopyResources;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly: boolean }[];
}

/**
 * The supervisor stands before the copy, so that the container never ends: a sidecar that is not running makes its pod
 * unready, which is what a crash of the copy must not do to production.
 */
function sidecarContainer(settings: CopyContainerSettings, resources: CopyResources | undefined): SidecarContainer {
  return {
    // It does not wait for tokens: a pod of production starts whatever is missing.
    ...copyContainer(settings, SIDECAR, false),
    command: [SUPERVISOR, PROGRAM],
    restartPolicy: 'Always',
    ...(resources === undefined ? {} : { resources }),
    volumeMounts: [{ name: NO_TOKEN_VOLUME, mountPath: TOKEN_PATH, readOnly: true }],
  };
}

/**
 * The API server mounts the pod's service account token into every container that has nothing at its path, so the sidecar
 * gets an empty volume there. It is of a kind that `kubectl drain` and autoscalers do not take for data: an emptyDir
 * would keep them from moving the pod.
 */
function volumePatch(pod: PodManifest): JsonPatchOperation[] {
  if (pod.volumes?.includes(NO_TOKEN_VOLUME)) return [];
  const volume = { name: NO_TOKEN_VOLUME, downwardAPI: { items: [] } };
  return listPatch('/spec/volumes', pod.volumes, volume, '-');
}

function listPatch(
  path: string,
  present: readonly unknown[] | undefined,
  value: object,
  position: number | '-',
): JsonPatchOperation[] {
  // An absent list cannot be added to, and position 0 of one is as good as any.
  if (present === undefined) return [{ op: 'add', path, value: [value] }];
  return [{ op: 'add', path: `${path}/${position}`, value }];
}
