import type { CommandSpecification, FlagTable } from '@trafficcopy/runtime';
import { CLUSTER_FLAGS, CLUSTER_GROUP } from '../cluster/cluster-flags.js';

const WHAT = 'What is shown';

const STATUS_FLAGS = {
  allNamespaces: {
    kind: 'switch',
    short: 'A',
    long: 'all-namespaces',
    group: WHAT,
    help: 'Those of every namespace',
  },
  watch: {
    kind: 'switch',
    short: 'w',
    long: 'watch',
    group: WHAT,
    help: 'Show it again every second, until it is interrupted',
  },
  ...CLUSTER_FLAGS,
} as const satisfies FlagTable;

export const STATUS_COMMAND = {
  name: 'status',
  summary: 'Show what is copied, and what was lost and why',
  description: 'Shows one TrafficCopy whole, or a line for each. NAME may be left out.',
  groups: [WHAT, CLUSTER_GROUP],
  flags: STATUS_FLAGS,
  refused: [],
  examples: [
    { text: 'All of this namespace', command: 'kubectl trafficcopy status' },
    { text: 'One, live', command: 'kubectl trafficcopy status checkout-copy --watch' },
  ],
} as const satisfies CommandSpecification<typeof STATUS_FLAGS>;
