import { type CommandSpecification, PROGRAM_GROUP, REPORTS_GROUP } from '@trafficcopy/runtime';
import { CLUSTER_GROUP, COPIES_GROUP, OPERATOR_FLAGS } from './operator-flags.js';

export const OPERATOR_COMMAND: CommandSpecification<typeof OPERATOR_FLAGS> = {
  name: 'operator',
  summary: 'Turn TrafficCopy resources of a Kubernetes cluster into running copies',
  description:
    'Follows the TrafficCopies of a cluster: brings copies into source pods, intercepts to the nodes of target pods, tells both what to do, and reports. ' +
    'The Helm chart runs it; from a shell it uses KUBECONFIG.',
  groups: [CLUSTER_GROUP, COPIES_GROUP, REPORTS_GROUP, PROGRAM_GROUP],
  flags: OPERATOR_FLAGS,
  refused: [],
  examples: [
    {
      text: 'In a pod, as the chart does',
      command:
        'trafficcopy operator --operator-address 10.96.0.20:36524 --copy-image registry.example/trafficcopy-copy:0.1.0',
    },
    { text: 'End every copy of the cluster', command: 'trafficcopy operator --uninstall' },
  ],
};
