/**
 * The `trafficcopy` command: finds the command that is meant, makes its configuration, and runs it. Nothing is touched
 * before the whole command line was found right; the programs are loaded only then.
 */
import { networkInterfaces } from 'node:os';
import { type IpAddress, parseIpAddress } from '@trafficcopy/core';
import { INTERCEPT_COMMAND, interceptConfig } from '@trafficcopy/daemonset-intercept/config';
import {
  addHelpFlags,
  buildCommand,
  CommanderError,
  configureCommand,
  isMeantForUsers,
  printable,
  UsageError,
  usageErrorOf,
  VERSION,
} from '@trafficcopy/runtime';
import { COPY_COMMAND, copyConfig, managedConfig } from '@trafficcopy/sidecar-copy/config';
import { Command } from 'commander';
import { commandOutline } from './command-outline.js';
import { completionCommand } from './completion/completion-command.js';
import { doctorCommand } from './doctor/doctor-command.js';
import { manualCommand } from './manual/manual-command.js';
import { traceCommand } from './trace/trace-command.js';

const NAME = 'trafficcopy';
const RIGHT = 'All of it is right. Whether this host can do it: "trafficcopy doctor".\n';

export interface Streams {
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean | undefined };
  readonly stderr: { write(text: string): unknown };
}

/**
 * Runs the command line `words` (without the program's own name).
 *
 * @returns the exit code: 0 done, 1 could not start or failed, 2 wrong use.
 */
export async function runProgram(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  { stdout, stderr }: Streams,
): Promise<number> {
  let exitCode = 0;
  const root = new Command(NAME)
    .description(
      'Copies live TCP traffic of a running server to servers under test, packet by packet and session by session. ' +
        'Clients notice nothing.',
    )
    .usage('COMMAND [flags]')
    .helpCommand(false)
    // What follows a command's name belongs to the command, -h and -v as well.
    .enablePositionalOptions();
  configureCommand(root);
  addHelpFlags(root);

  const copy = buildCommand(COPY_COMMAND, env, async (values) => {
    const config = values.operator === undefined ? copyConfig(values, hostAddresses()) : managedConfig(values, env);
    const { loginConfig, runCopy, runManagedCopy } = await import('@trafficcopy/sidecar-copy');
    if (values.check) {
      if (!('operator' in config)) loginConfig(config);
      return void stdout.write(checkText(config.notes));
    }
    exitCode = 'operator' in config ? await runManagedCopy(config) : await runCopy(config);
  });
  const intercept = buildCommand(INTERCEPT_COMMAND, env, async (values) => {
    const config = interceptConfig(values);
    if (values.check) return void stdout.write(checkText(config.notes));
    const { runIntercept } = await import('@trafficcopy/daemonset-intercept');
    exitCode = await runIntercept(config);
  });
  const operator = await operatorCommand(env, (code) => {
    exitCode = code;
  });
  const doctor = doctorCommand({
    env,
    stdout,
    hostAddresses,
    onEnd: (code) => {
      exitCode = code;
    },
  });
  const trace = traceCommand(env, (code) => {
    exitCode = code;
  });
  const outline = (): ReturnType<typeof commandOutline> => commandOutline(root);
  const print = (text: string): unknown => stdout.write(text);
  const completion = completionCommand(outline, print);
  const manual = manualCommand(env, outline, print, stdout.isTTY === true);
  const version = new Command('version').summary('Print the version').action(() => {
    stdout.write(`${VERSION}\n`);
  });
  const help = new Command('help')
    .summary('Print the help of a command')
    .argument('[command]')
    .action(async (name: string | undefined) => {
      const isKnown = root.commands.some((command) => command.name() === name);
      // An unknown name is refused as it is without "help".
      await root.parseAsync(name === undefined ? ['--help'] : isKnown ? [name, '--help'] : [name], { from: 'user' });
    });
  for (const command of [version, help]) {
    configureCommand(command);
    addHelpFlags(command);
  }
  for (const command of [copy, intercept, ...operator, doctor, trace, completion, manual, version, help])
    root.addCommand(command);
  for (const command of [root, ...root.commands, ...doctor.commands]) {
    command.configureOutput({ writeOut: (text) => stdout.write(text) });
  }
  root.addHelpText('after', `\n"${NAME} COMMAND --help" lists the flags of a command.`);

  try {
    if (words.length === 0) {
      const names = root.commands.filter((one) => one !== version && one !== help).map((one) => one.name());
      throw new UsageError(`a command is missing: expected one of ${names.join(', ')}`);
    }
    await root.parseAsync([...words], { from: 'user' });
    return exitCode;
  } catch (error) {
    return report(error, commandNamed(root, words[0]), stderr);
  }
}

/** The command `operator`, where it is there: the images of copy and intercept do without it and all that it needs. */
async function operatorCommand(
  env: Readonly<Record<string, string | undefined>>,
  onEnd: (exitCode: number) => void,
): Promise<Command[]> {
  let config: typeof import('@trafficcopy/operator/config');
  try {
    config = await import('@trafficcopy/operator/config');
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_MODULE_NOT_FOUND') return [];
    throw error;
  }
  const command = buildCommand(config.OPERATOR_COMMAND, env, async (values) => {
    const { runOperator } = await import('@trafficcopy/operator');
    onEnd(await runOperator(config.operatorConfig(values)));
  });
  return [command];
}

/** Writes what went wrong, in one form for all errors, and returns the exit code. */
function report(error: unknown, commandName: string, stderr: Streams['stderr']): number {
  const known = error instanceof CommanderError ? usageErrorOf(error) : error;
  if (known === undefined) return 0;
  if (!(known instanceof Error && isMeantForUsers(known))) {
    const text = known instanceof Error ? (known.stack ?? known.message) : String(known);
    stderr.write(`${commandName}: this is a fault of the program itself, please report it: ${shown(text)}\n`);
    return 1;
  }
  const isUsage = known instanceof UsageError;
  const isUnderRoot = isUsage && commandName === NAME && /unknown option '-/.test(known.message);
  const hint = isUnderRoot ? `. Flags stand behind a command, like "${NAME} copy -x …"` : '';
  stderr.write(`${commandName}: ${shown(known.message)}${hint}\n`);
  if (isUsage) stderr.write(`"${commandName} --help" lists what there is.\n`);
  const { exitCode } = known as { exitCode?: unknown };
  return typeof exitCode === 'number' ? exitCode : 1;
}

/** What --check says; `notes` are about what is right and yet may not be meant. */
function checkText(notes: readonly string[]): string {
  return `${notes.map((note) => `note: ${shown(note)}\n`).join('')}${RIGHT}`;
}

/** What users and files say must not command the terminal. */
function shown(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

function commandNamed(root: Command, word: string | undefined): string {
  return root.commands.some((command) => command.name() === word) ? `${NAME} ${word}` : NAME;
}

function hostAddresses(): IpAddress[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .flatMap(({ address }) => parseIpAddress(address.replace(/%.*$/, '')) ?? []);
}
