import {
  type CommandSpecification,
  durationValue,
  type FlagTable,
  integerValue,
  pathValue,
} from '@trafficcopy/runtime';

const WHERE = 'Which copy, and how long';

const TRACE_FLAGS = {
  stateDirectory: {
    kind: 'value',
    long: 'state',
    argument: 'DIR',
    group: WHERE,
    help: 'The state directory of the copy',
    default: '/var/lib/trafficcopy',
    value: pathValue,
  },
  pid: {
    kind: 'value',
    long: 'pid',
    argument: 'PID',
    group: WHERE,
    help: 'Only this one of several copies',
    defaultNote: 'all with that state directory',
    value: integerValue(1, 4_194_304),
  },
  durationMs: {
    kind: 'value',
    long: 'duration',
    argument: 'TIME',
    group: WHERE,
    help: 'End after TIME (90s, 15m)',
    defaultNote: 'run until SIGINT, or until the copy ends',
    value: durationValue(1, 365 * 86_400_000),
  },
} as const satisfies FlagTable;

export const TRACE_COMMAND = {
  name: 'trace',
  summary: 'Show what happens to single sessions of a copy that runs on this host',
  description:
    'Attaches to the copies of this host and prints each event of the sessions that fit FILTER, with its reason: SYN sent, turn begun, gate opened and why, delivered, ' +
    'retransmitted, lost and why, ended. FILTER is "all" (default), or conditions with commas between, which must all hold: a client (10.0.0.9, 10.0.0.0/8), ' +
    'port=CLIENT-PORT, online=PORT, target=NAME, lost (only sessions that lose something, with what came before). Run it as the user of the copy, or as root.',
  groups: [WHERE],
  flags: TRACE_FLAGS,
  refused: [],
  examples: [
    { text: 'Sessions that lose something', command: 'trafficcopy trace lost' },
    { text: 'One client, for a minute', command: 'trafficcopy trace 203.0.113.9,online=80 --duration 1m' },
  ],
} as const satisfies CommandSpecification<typeof TRACE_FLAGS>;
