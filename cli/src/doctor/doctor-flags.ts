/** `trafficcopy doctor`: flags of its own, and those of the program that is to run. */
import { INTERCEPT_COMMAND } from '@trafficcopy/daemonset-intercept/config';
import { type CommandSpecification, type FlagTable, ipAddressValue } from '@trafficcopy/runtime';
import { COPY_COMMAND } from '@trafficcopy/sidecar-copy/config';

const CHECKED = 'What is checked';

const JSON_FLAG = {
  json: { kind: 'switch', long: 'json', group: CHECKED, help: 'Print the findings as JSON' },
} as const satisfies FlagTable;

const CLIENTS_FLAG = {
  clients: {
    kind: 'list',
    long: 'clients',
    argument: 'IP,…',
    group: CHECKED,
    help: 'Addresses of clients: whether the target can answer them',
    value: ipAddressValue,
    itemsMax: 64,
  },
} as const satisfies FlagTable;

const DOCTOR_FLAGS = { ...JSON_FLAG, ...CLIENTS_FLAG } as const;

export const DOCTOR_COMMAND = {
  name: 'doctor',
  summary: 'Check whether this host can run copy or intercept, and say what to change',
  description:
    'Looks at the kernel, the rights of this process, devices, routes, settings and firewall, and tries what has to be tried in a network namespace of its own. ' +
    'Changes nothing. "doctor copy" and "doctor intercept" take the flags of those programs, and look at what they name as well: put "doctor" before the ' +
    'command that you are going to run. Exit code 0: nothing keeps this host from copying; 1: something does.',
  groups: [CHECKED],
  flags: DOCTOR_FLAGS,
  refused: [],
  examples: [
    { text: 'Everything that can be known without more words', command: 'trafficcopy doctor' },
    {
      text: 'Before a copy is started: its capture, its channel and its target',
      command: 'trafficcopy doctor copy -x 80-10.16.12.11:80 -s 10.16.12.11',
    },
  ],
} as const satisfies CommandSpecification<typeof DOCTOR_FLAGS>;

type CopyFlags = (typeof COPY_COMMAND)['flags'];
const DOCTOR_COPY_FLAGS: typeof JSON_FLAG & CopyFlags = { ...JSON_FLAG, ...COPY_COMMAND.flags };

export const DOCTOR_COPY_COMMAND: CommandSpecification<typeof JSON_FLAG & CopyFlags> = {
  name: 'copy',
  summary: 'Check the host of the online server; takes the flags of copy',
  description:
    'Checks whether "trafficcopy copy" with these flags would work on this host. Changes nothing, and uses up no token.',
  groups: [CHECKED, ...COPY_COMMAND.groups],
  flags: DOCTOR_COPY_FLAGS,
  refused: COPY_COMMAND.refused,
  structures: COPY_COMMAND.structures ?? [],
  examples: [{ text: 'All that a copy needs', command: 'trafficcopy doctor copy -x 80-10.16.12.11:80 --join TOKEN' }],
};

type InterceptFlags = (typeof INTERCEPT_COMMAND)['flags'];
const DOCTOR_INTERCEPT_FLAGS: typeof DOCTOR_FLAGS & InterceptFlags = { ...DOCTOR_FLAGS, ...INTERCEPT_COMMAND.flags };

export const DOCTOR_INTERCEPT_COMMAND: CommandSpecification<typeof DOCTOR_FLAGS & InterceptFlags> = {
  name: 'intercept',
  summary: 'Check the host of the target; takes the flags of intercept',
  description: 'Checks whether "trafficcopy intercept" with these flags would work on this host. Changes nothing.',
  groups: [CHECKED, ...INTERCEPT_COMMAND.groups],
  flags: DOCTOR_INTERCEPT_FLAGS,
  refused: INTERCEPT_COMMAND.refused,
  examples: [
    {
      text: 'A target on port 8080, and whether it can answer a client',
      command: 'trafficcopy doctor intercept --target 8080 --clients 203.0.113.9',
    },
  ],
};
