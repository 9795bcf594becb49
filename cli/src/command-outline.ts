/** What manual pages and completions are made from: the commands as they are, however they were made. */
import {
  type CommandSpecification,
  type Flag,
  flagDescription,
  flagsInOrder,
  specificationOf,
} from '@trafficcopy/runtime';
import type { Command } from 'commander';

export interface FlagOutline {
  readonly short: string | undefined;
  readonly long: string;
  /** The name of its value; undefined for a switch. */
  readonly argument: string | undefined;
  /** It may be given without one. */
  readonly mayBeBare: boolean;
  /** With default and other names. */
  readonly help: string;
  /** The first clause of it, for a line beside the flag. */
  readonly brief: string;
  readonly completes: readonly string[] | 'files' | undefined;
  readonly isRepeatable: boolean;
  readonly group: string;
}

export interface CommandOutline {
  /** As it is typed behind the program's name: "doctor copy"; empty for the program. */
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  /** "[FILTER] [flags]" */
  readonly usage: string;
  readonly flags: readonly FlagOutline[];
  /** Words that may stand behind it, beside its commands. */
  readonly words: readonly string[];
  readonly children: readonly CommandOutline[];
  readonly specification: CommandSpecification | undefined;
}

const PROGRAM_SUMMARY = 'copy live TCP traffic to servers under test';
const HELP_GROUP = 'Help';

/** `root` with all its commands. */
export function commandOutline(root: Command): CommandOutline {
  return outline(root, root, '');
}

/** The outline and all below it. */
export function allOutlines(top: CommandOutline): CommandOutline[] {
  return [top, ...top.children.flatMap(allOutlines)];
}

function outline(root: Command, command: Command, path: string): CommandOutline {
  const specification = specificationOf(command);
  const flags = specification === undefined ? [] : flagsInOrder(specification).map(([, flag]) => flagOutline(flag));
  const children = command.commands.map((child) =>
    outline(root, child, path === '' ? child.name() : `${path} ${child.name()}`),
  );
  return {
    path,
    summary: command.summary() || PROGRAM_SUMMARY,
    description: command.description() || `${command.summary()}.`,
    usage: command.usage(),
    flags: [...flags, helpFlag('h', 'help', 'Print this text'), helpFlag('v', 'version', 'Print the version')],
    words: command.registeredArguments.flatMap((argument) => {
      return argument.name() === 'command' ? root.commands.map((one) => one.name()) : (argument.argChoices ?? []);
    }),
    children,
    specification,
  };
}

function flagOutline(flag: Flag): FlagOutline {
  return {
    short: flag.short,
    long: flag.long,
    argument: flag.kind === 'switch' ? undefined : flag.argument,
    mayBeBare: flag.kind === 'value' && flag.bareText !== undefined,
    help: flagDescription(flag),
    brief: flag.help.replace(/; .*/s, ''),
    completes: flag.kind === 'switch' ? undefined : flag.value.completes,
    isRepeatable: flag.kind === 'list' || (flag.kind === 'value' && flag.isConfigFile === true),
    group: flag.group,
  };
}

function helpFlag(short: string, long: string, help: string): FlagOutline {
  return {
    short,
    long,
    argument: undefined,
    mayBeBare: false,
    help,
    brief: help,
    completes: undefined,
    isRepeatable: false,
    group: HELP_GROUP,
  };
}
