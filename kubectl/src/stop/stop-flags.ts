import type { CommandSpecification, FlagTable } from '@trafficcopy/runtime';
import { CLUSTER_FLAGS, CLUSTER_GROUP } from '../cluster/cluster-flags.js';

const STOP_FLAGS = {
  noWait: { kind: 'switch', long: 'no-wait', group: 'How', help: 'Do not wait until everything is cleaned up' },
  ...CLUSTER_FLAGS,
} as const satisfies FlagTable;

export const STOP_COMMAND = {
  name: 'stop',
  summary: 'Stop copying and remove everything that was set up for it',
  description:
    'Deletes the TrafficCopy NAME: its copies end, and the target pods and nodes are left as they were found. No pod is restarted.',
  groups: ['How', CLUSTER_GROUP],
  flags: STOP_FLAGS,
  refused: [],
  examples: [
    { text: 'Stop one', command: 'kubectl trafficcopy stop checkout-copy' },
    {
      text: 'Only pause it',
      command: `kubectl patch tcopy checkout-copy --type merge -p '{"spec":{"suspend":true}}'`,
    },
  ],
} as const satisfies CommandSpecification<typeof STOP_FLAGS>;
