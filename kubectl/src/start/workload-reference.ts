import { ValueProblem, type ValueType } from '@trafficcopy/runtime';

/** Kinds of workload with the names that kubectl knows them by. */
const KINDS = [
  { names: ['deployment', 'deployments', 'deploy'], apiVersion: 'apps/v1', kind: 'Deployment' },
  { names: ['statefulset', 'statefulsets', 'sts'], apiVersion: 'apps/v1', kind: 'StatefulSet' },
  { names: ['daemonset', 'daemonsets', 'ds'], apiVersion: 'apps/v1', kind: 'DaemonSet' },
  { names: ['replicaset', 'replicasets', 'rs'], apiVersion: 'apps/v1', kind: 'ReplicaSet' },
  { names: ['service', 'services', 'svc'], apiVersion: 'v1', kind: 'Service' },
] as const;

/** `deploy/checkout`, or `shop/deploy/checkout` in another namespace. */
export interface WorkloadReference {
  readonly apiVersion: string;
  readonly kind: (typeof KINDS)[number]['kind'];
  readonly name: string;
  readonly namespace: string | undefined;
}

export const workloadValue: ValueType<WorkloadReference> = {
  expected: '[NAMESPACE/]KIND/NAME, like deploy/checkout; kinds: deploy, sts, ds, rs, svc',
  parse(text: string): WorkloadReference {
    const parts = text.split('/');
    const [namespace, kindName, name] = parts.length === 3 ? parts : [undefined, ...parts];
    if (parts.length < 2 || parts.length > 3 || !isName(name) || (namespace !== undefined && !isName(namespace))) {
      throw new ValueProblem('');
    }
    const kind = KINDS.find(({ names }) => (names as readonly string[]).includes(kindName!.toLowerCase()));
    if (kind === undefined) throw new ValueProblem(`"${kindName}" is no kind that is known here`);
    return { apiVersion: kind.apiVersion, kind: kind.kind, name, namespace };
  },
};

function isName(text: string | undefined): text is string {
  return text !== undefined && /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(text);
}
