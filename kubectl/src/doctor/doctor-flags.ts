import type { CommandSpecification, FlagTable } from '@trafficcopy/runtime';
import { CLUSTER_FLAGS, CLUSTER_GROUP } from '../cluster/cluster-flags.js';

const DOCTOR_FLAGS = {
  noProbe: {
    kind: 'switch',
    long: 'no-probe',
    group: 'What is checked',
    help: 'Start no pods: the nodes are only looked at',
  },
  ...CLUSTER_FLAGS,
} as const satisfies FlagTable;

export const DOCTOR_COMMAND = {
  name: 'doctor',
  summary: 'Check whether this cluster can copy, and say what to change',
  description:
    'Looks at versions, the installation, Pod Security, the pod network and your permissions, and tries on each Linux node (20 at most) whether its kernel can do what intercept needs. Changes nothing but for one short-lived pod on each node.',
  groups: ['What is checked', CLUSTER_GROUP],
  flags: DOCTOR_FLAGS,
  refused: [],
  examples: [
    { text: 'Everything, for copying from namespace shop', command: 'kubectl trafficcopy doctor -n shop' },
    { text: 'Without starting pods', command: 'kubectl trafficcopy doctor --no-probe' },
  ],
} as const satisfies CommandSpecification<typeof DOCTOR_FLAGS>;
