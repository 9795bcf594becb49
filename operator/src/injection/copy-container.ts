/** What a container with the copy looks like, whichever way it comes into a pod. */
import { copyContainerName, type InterceptToken, tokenSecretName, tokenVariable } from '../api/index.js';

/** What the operator knows about the copies that it starts for one TrafficCopy. */
export interface CopyContainerSettings {
  /** metadata.uid of the TrafficCopy. */
  readonly uid: string;
  readonly image: string;
  readonly imagePullPolicy: ImagePullPolicy;
  /** HOST:PORT of the operator's channel. */
  readonly operatorAddress: string;
  readonly logLevel: string;
  /** Of a sidecar. Ephemeral containers must not name any. */
  readonly resources: CopyResources;
  /** Of intercepts outside the cluster. */
  readonly interceptTokens?: readonly InterceptToken[];
  /** What a copy with the limits of its TrafficCopy may come to need: a lower limit of memory is raised to it. */
  readonly memoryBytes?: number;
}

export type ImagePullPolicy = 'Always' | 'IfNotPresent' | 'Never';

export interface CopyResources {
  readonly requests?: ResourceList;
  readonly limits?: ResourceList;
}

/** Quantities by resource name: `{cpu: '10m', memory: '64Mi'}`. */
export type ResourceList = { readonly [resource: string]: string };

/** The part of a Kubernetes Container that both kinds of containers have. */
export interface CopyContainer {
  readonly name: string;
  readonly image: string;
  readonly imagePullPolicy: ImagePullPolicy;
  readonly command?: readonly string[];
  readonly args: readonly string[];
  readonly env: readonly EnvironmentVariable[];
  readonly securityContext: typeof SECURITY_CONTEXT;
  readonly terminationMessagePolicy: 'FallbackToLogsOnError';
}

export type EnvironmentVariable =
  | {
      readonly name: string;
      readonly valueFrom: {
        readonly secretKeyRef: { readonly name: string; readonly key: string; readonly optional: boolean };
      };
    }
  | { readonly name: string; readonly valueFrom: { readonly fieldRef: { readonly fieldPath: string } } };

/**
 * Explicit against what a pod sets for all its containers. Root without any right but NET_RAW: a container's process has
 * added capabilities only as uid 0, as Kubernetes knows no ambient capabilities and file capabilities end with
 * allowPrivilegeEscalation: false. (runAsNonRoot: true of the pod would refuse that uid, hence false.)
 */
export const SECURITY_CONTEXT = {
  runAsUser: 0,
  runAsGroup: 0,
  runAsNonRoot: false,
  privileged: false,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'], add: ['NET_RAW'] },
  seccompProfile: { type: 'RuntimeDefault' },
} as const;

/**
 * @param n as in copyContainerName().
 * @param waitsForTokens whether the container starts only when the Secrets of interceptTokens are there
 */
export function copyContainer(settings: CopyContainerSettings, n: number, waitsForTokens: boolean): CopyContainer {
  const tokens = (settings.interceptTokens ?? []).map((token) => interceptTokenVariable(token, !waitsForTokens));
  return {
    name: copyContainerName(settings.uid, n),
    image: settings.image,
    imagePullPolicy: settings.imagePullPolicy,
    args: ['copy', '--operator', settings.operatorAddress, '--log-level', settings.logLevel],
    env: [ownTokenVariable(settings.uid), ...tokens, ...FIELD_VARIABLES],
    securityContext: SECURITY_CONTEXT,
    terminationMessagePolicy: 'FallbackToLogsOnError',
  };
}

/** Optional: a pod of production must be able to start again after the TrafficCopy and its Secret are gone. */
function ownTokenVariable(uid: string): EnvironmentVariable {
  return {
    name: 'TRAFFICCOPY_TOKEN',
    valueFrom: { secretKeyRef: { name: tokenSecretName(uid), key: 'token', optional: true } },
  };
}

function interceptTokenVariable(token: InterceptToken, optional: boolean): EnvironmentVariable {
  const { secret: name, key } = token;
  return { name: tokenVariable(token), valueFrom: { secretKeyRef: { name, key, optional } } };
}

const FIELD_VARIABLES: readonly EnvironmentVariable[] = [
  ['POD_NAME', 'metadata.name'],
  ['POD_NAMESPACE', 'metadata.namespace'],
  ['POD_UID', 'metadata.uid'],
  ['POD_IPS', 'status.podIPs'],
  ['NODE_NAME', 'spec.nodeName'],
].map(([name = '', fieldPath = '']) => ({ name, valueFrom: { fieldRef: { fieldPath } } }));
