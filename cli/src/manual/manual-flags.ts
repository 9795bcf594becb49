import { type CommandSpecification, type FlagTable, pathValue } from '@trafficcopy/runtime';

const WHERE = 'Where to';

const MANUAL_FLAGS = {
  directory: {
    kind: 'value',
    long: 'directory',
    argument: 'DIR',
    group: WHERE,
    help: 'Write the pages of all commands into DIR',
    defaultNote: 'show one page',
    value: pathValue,
  },
} as const satisfies FlagTable;

export const MANUAL_COMMAND = {
  name: 'manual',
  summary: 'Show the manual page of a command',
  description:
    'Shows the manual page of COMMAND, or of trafficcopy itself, with "man" or "mandoc". Prints it as they want it (troff) where ' +
    'neither is there, or standard output is no terminal.',
  groups: [WHERE],
  flags: MANUAL_FLAGS,
  refused: [],
  examples: [
    { text: 'Read one', command: 'trafficcopy manual copy' },
    { text: 'Install all', command: 'trafficcopy manual --directory /usr/local/share/man/man1' },
  ],
} as const satisfies CommandSpecification<typeof MANUAL_FLAGS>;
