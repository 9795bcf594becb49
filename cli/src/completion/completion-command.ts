import { buildCommand, type CommandSpecification, UsageError } from '@trafficcopy/runtime';
import { Argument, type Command } from 'commander';
import type { CommandOutline } from '../command-outline.js';
import { bashCompletion } from './bash-completion.js';
import { fishCompletion } from './fish-completion.js';
import { zshCompletion } from './zsh-completion.js';

const SHELLS: Readonly<Record<string, (root: CommandOutline) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};
const NAMES = Object.keys(SHELLS).join(', ');

const COMPLETION_COMMAND: CommandSpecification = {
  name: 'completion',
  summary: 'Print what makes a shell complete the words of trafficcopy',
  description:
    'Prints a script that makes SHELL (bash, zsh or fish) complete commands, flags, their values and files. The package for hosts has installed it already.',
  groups: [],
  flags: {},
  refused: [],
  examples: [
    {
      text: 'In bash 4.4 or newer, and in zsh behind compinit (with zsh)',
      command: 'source <(trafficcopy completion bash)',
    },
    { text: 'In fish', command: 'trafficcopy completion fish | source' },
  ],
};

/** `trafficcopy completion SHELL`. @param root the program with all its commands, once they are there */
export function completionCommand(root: () => CommandOutline, write: (text: string) => unknown): Command {
  const command = buildCommand(COMPLETION_COMMAND, {}, () => {
    const shell = command.args[0];
    const script = Object.hasOwn(SHELLS, shell ?? '') ? SHELLS[shell!]! : undefined;
    if (script === undefined) {
      throw new UsageError(
        `${shell === undefined ? 'a shell is missing' : `"${shell}" is not known`}: expected one of ${NAMES}`,
      );
    }
    write(script(root()));
  });
  const argument = new Argument('[shell]').choices(Object.keys(SHELLS));
  // Its own words for what is wrong are like those of flags.
  argument.argParser((text) => text);
  return command.addArgument(argument).usage('SHELL');
}
