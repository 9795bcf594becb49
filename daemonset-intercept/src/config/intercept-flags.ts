/** Flags of `trafficcopy intercept`. Letters and meaning are those of the C intercept wherever it has the flag. */
import {
  addressRangeValue,
  choiceValue,
  durationValue,
  type FlagTable,
  integerValue,
  ipAddressValue,
  PROGRAM_FLAGS,
  PROGRAM_GROUP,
  pathValue,
  type RefusedFlag,
  textValue,
} from '@trafficcopy/runtime';
import { targetValue } from './target-value.js';

const SERVE = 'What is served';
const CHANNEL = 'Channel to the copies';
const KERNEL = 'Kernel';

export const INTERCEPT_GROUPS = [SERVE, CHANNEL, KERNEL, PROGRAM_FLAGS.metrics.group, PROGRAM_GROUP] as const;

export const INTERCEPT_FLAGS = {
  targets: {
    kind: 'list',
    long: 'target',
    argument: '[IP:]PORT,…',
    group: SERVE,
    help: 'Serve only copies for these addresses and ports of this host',
    defaultNote: 'every local address and port',
    value: targetValue,
    itemsMax: 256,
  },
  pass: {
    kind: 'list',
    short: 'x',
    long: 'pass',
    argument: 'IP,…',
    group: SERVE,
    help: 'Let answers to these clients through, addresses or ranges; nothing of them is reported to a copy',
    value: addressRangeValue,
    itemsMax: 256,
  },
  netnsPath: {
    kind: 'value',
    long: 'netns',
    argument: 'PATH',
    group: SERVE,
    help: 'The network namespace of the target, like /run/netns/test or /proc/PID/ns/net',
    defaultNote: 'the own one',
    value: pathValue,
  },
  port: {
    kind: 'value',
    short: 'p',
    long: 'port',
    argument: 'PORT',
    group: CHANNEL,
    help: 'Listen on this port',
    default: '36524',
    value: integerValue(1, 65535),
  },
  bindAddress: {
    kind: 'value',
    short: 'b',
    long: 'bind',
    argument: 'IP',
    group: CHANNEL,
    help: 'Listen on this address',
    defaultNote: 'all',
    value: ipAddressValue,
  },
  stateDirectory: {
    kind: 'value',
    long: 'state',
    argument: 'DIR',
    group: CHANNEL,
    help: 'Where the key, the certificate and open tokens are kept, and what must be restored after a crash',
    default: '/var/lib/trafficcopy',
    value: pathValue,
  },
  tokenTtlMs: {
    kind: 'value',
    long: 'token-ttl',
    argument: 'TIME',
    group: CHANNEL,
    help: 'How long the one-time token that is printed can be used',
    default: '1h',
    value: durationValue(10_000, 30 * 86_400_000),
  },
  newToken: {
    kind: 'switch',
    long: 'new-token',
    group: CHANNEL,
    help: 'Print the command for one more copy and end; a running intercept with the same state directory accepts its token',
  },
  insecure: {
    kind: 'switch',
    long: 'insecure',
    group: CHANNEL,
    help: 'Plain TCP without certificates: anybody who reaches the port can inject packets here',
  },
  queueLengthMax: {
    kind: 'value',
    short: 'q',
    long: 'queue-length',
    argument: 'N',
    group: KERNEL,
    help: 'Responses that may wait in the NFQUEUE; more when the summary names queue drops',
    default: '16384',
    value: integerValue(64, 1_048_576),
  },
  queue: {
    kind: 'value',
    long: 'queue',
    argument: 'BACKEND',
    group: KERNEL,
    help: 'native, or the npm package nfqueue for comparison',
    default: 'native',
    value: choiceValue(['native', 'nfqueue']),
  },
  queueNumber: {
    kind: 'value',
    long: 'queue-num',
    argument: 'N',
    group: KERNEL,
    help: 'Number of the NFQUEUE',
    defaultNote: '3792',
    value: integerValue(0, 65535),
  },
  iptables: {
    kind: 'value',
    long: 'iptables',
    argument: 'KIND',
    group: KERNEL,
    help: 'Which iptables installs the rules: legacy, nft, or auto (the one whose rules are in use)',
    default: 'auto',
    value: choiceValue(['auto', 'legacy', 'nft']),
  },
  instance: {
    kind: 'value',
    long: 'instance',
    argument: 'NAME',
    group: KERNEL,
    help: 'Marks the rules as "trafficcopy:NAME", so that only their owner removes them',
    defaultNote: 'the number of -p',
    value: textValue('1 to 32 letters, digits, dots, dashes and underscores', /^[A-Za-z0-9_.-]{1,32}$/),
  },
  ...PROGRAM_FLAGS,
} as const satisfies FlagTable;

export const INTERCEPT_REFUSED: readonly RefusedFlag[] = [
  {
    short: 'd',
    long: 'daemon',
    hasArgument: false,
    advice:
      'intercept stays in the foreground; for a service use "systemd-run trafficcopy intercept …" or a unit file, for a shell "nohup trafficcopy intercept … &"',
  },
  {
    short: 'i',
    hasArgument: true,
    advice: 'not needed: responses are taken from the kernel by a rule, not from a device',
  },
  {
    short: 'F',
    hasArgument: true,
    advice: 'not needed: only responses of copied connections are taken; --target restricts them',
  },
  { short: 'o', hasArgument: true, advice: 'use --target IP:PORT' },
  { short: 'n', hasArgument: true, advice: 'not needed: response headers are combined as they come' },
  {
    short: 'D',
    hasArgument: true,
    advice: 'not needed: intercept works in the network namespace of the container, see --netns',
  },
  { short: 's', hasArgument: true, advice: 'not needed: tables have fixed limits' },
  {
    short: 'c',
    hasArgument: true,
    advice: 'not needed: any number of copies is served, and none takes the flows of another',
  },
];
