import {
  type CommandSpecification,
  durationValue,
  type FlagTable,
  integerValue,
  percentValue,
  textValue,
} from '@trafficcopy/runtime';
import { CLUSTER_FLAGS, CLUSTER_GROUP } from '../cluster/cluster-flags.js';
import { portPairValue } from './port-pair-value.js';
import { workloadValue } from './workload-reference.js';

const WHAT = 'What is copied, and where to';
const HOW_MUCH = 'How much';
const HOW = 'How it is started';

const START_FLAGS = {
  from: {
    kind: 'value',
    long: 'from',
    argument: 'KIND/NAME',
    group: WHAT,
    help: 'Workload whose pods serve the production traffic',
    value: workloadValue,
  },
  to: {
    kind: 'list',
    long: 'to',
    argument: '[NAMESPACE/]KIND/NAME,…',
    group: WHAT,
    help: 'Workload under test; each of several gets all of the traffic',
    value: workloadValue,
    isRequired: true,
    itemsMax: 8,
  },
  ports: {
    kind: 'list',
    short: 'p',
    long: 'port',
    argument: 'SOURCE[:TARGET],…',
    group: WHAT,
    help: 'Ports of the source pods that are copied',
    value: portPairValue,
    isRequired: true,
    itemsMax: 16,
  },
  percent: {
    kind: 'value',
    short: 'r',
    long: 'percent',
    argument: 'PERCENT',
    group: HOW_MUCH,
    help: 'Share of the connections that is copied',
    value: percentValue,
    defaultNote: '100',
  },
  multiply: {
    kind: 'value',
    long: 'multiply',
    argument: 'N',
    group: HOW_MUCH,
    help: 'Copies of each connection',
    value: integerValue(1, 1000),
    defaultNote: '1',
  },
  ramp: {
    kind: 'value',
    short: 'g',
    long: 'ramp',
    argument: 'TIME',
    group: HOW_MUCH,
    help: 'Begin with nothing and get to all of it within this time, like 90s or 10m',
    value: durationValue(1000, 7 * 86_400_000),
    defaultNote: 'all at once',
  },
  duration: {
    kind: 'value',
    long: 'duration',
    argument: 'TIME',
    group: HOW_MUCH,
    help: 'Stop after this time, like 30m or 2h',
    value: durationValue(1000, 366 * 86_400_000),
    defaultNote: 'until it is stopped',
  },
  name: {
    kind: 'value',
    long: 'name',
    argument: 'NAME',
    group: HOW,
    help: 'Name of the TrafficCopy',
    value: textValue('lower-case letters, digits and dashes', /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/),
    defaultNote: "the source's name with -copy",
  },
  dryRun: {
    kind: 'switch',
    long: 'dry-run',
    group: HOW,
    help: 'Print the resource, have the API server check it, and change nothing',
  },
  noWait: {
    kind: 'switch',
    long: 'no-wait',
    group: HOW,
    help: 'Do not wait until the first copies run',
  },
  ...CLUSTER_FLAGS,
} as const satisfies FlagTable;

export const START_COMMAND = {
  name: 'start',
  summary: 'Begin to copy the traffic of one workload to another',
  description:
    'Creates a TrafficCopy: what arrives at the source pods is copied, connection by connection, to the target pods. No pod is restarted, and clients notice nothing.',
  groups: [WHAT, HOW_MUCH, HOW, CLUSTER_GROUP],
  flags: START_FLAGS,
  refused: [],
  examples: [
    {
      text: 'All traffic of port 8080 to a canary',
      command: 'kubectl trafficcopy start --from deploy/checkout --to deploy/checkout-canary --port 8080',
    },
    {
      text: 'A tenth of it for an hour to another namespace, which must allow it',
      command:
        'kubectl trafficcopy start --from deploy/checkout --to staging/deploy/checkout -p 8080:80 -r 10 --duration 1h',
    },
  ],
} as const satisfies CommandSpecification<typeof START_FLAGS>;
