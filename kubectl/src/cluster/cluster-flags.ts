import { type FlagTable, pathValue, textValue } from '@trafficcopy/runtime';

export const CLUSTER_GROUP = 'Cluster';

const nameValue = textValue('a name, like shop', /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);

/** kubectl's own flags, with its names. */
export const CLUSTER_FLAGS = {
  namespace: {
    kind: 'value',
    short: 'n',
    long: 'namespace',
    argument: 'NAMESPACE',
    group: CLUSTER_GROUP,
    help: 'Namespace of the TrafficCopy',
    value: nameValue,
    defaultNote: "the context's",
  },
  context: {
    kind: 'value',
    long: 'context',
    argument: 'NAME',
    group: CLUSTER_GROUP,
    help: 'Context of the kubectl configuration',
    value: textValue('the name of a context', /^[^\0]{1,253}$/),
  },
  kubeconfig: {
    kind: 'value',
    long: 'kubeconfig',
    argument: 'FILE',
    group: CLUSTER_GROUP,
    help: 'Configuration of kubectl',
    value: pathValue,
    defaultNote: 'KUBECONFIG, else ~/.kube/config',
  },
} as const satisfies FlagTable;
