/** The `kubectl trafficcopy` command: finds the command that is meant, checks the whole command line, and runs it. */
import {
  addHelpFlags,
  buildCommand,
  CommanderError,
  configureCommand,
  TrafficCopyError,
  UsageError,
  usageErrorOf,
  VERSION,
} from '@trafficcopy/runtime';
import { Command } from 'commander';
import { DOCTOR_COMMAND } from './doctor/doctor-flags.js';
import type { Output } from './output.js';
import { START_COMMAND } from './start/start-flags.js';
import { STATUS_COMMAND } from './status/status-flags.js';
import { STOP_COMMAND } from './stop/stop-flags.js';

const NAME = 'kubectl trafficcopy';

/**
 * Runs the command line `words` (without the program's own name).
 *
 * @returns the exit code: 0 done, 1 could not be done, 2 wrong use.
 */
export async function runPlugin(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  output: Output,
): Promise<number> {
  let exitCode = 0;
  const root = new Command(NAME)
    .description(
      'Copies live TCP traffic of running pods to pods under test. No pod is restarted, clients notice nothing.',
    )
    .usage('COMMAND [flags]')
    .helpCommand(false)
    .enablePositionalOptions();
  configureCommand(root);
  addHelpFlags(root);
  const start = buildCommand(START_COMMAND, env, async (values) => {
    const command = await import('./start/start-command.js');
    exitCode = await command.start(values, output);
  });
  const status: Command = buildCommand(STATUS_COMMAND, env, async (values) => {
    const command = await import('./status/status-command.js');
    exitCode = await command.status(status.args[0], values, output);
  });
  const stop: Command = buildCommand(STOP_COMMAND, env, async (values) => {
    const command = await import('./stop/stop-command.js');
    exitCode = await command.stop(stop.args[0], values, output);
  });
  const doctor = buildCommand(DOCTOR_COMMAND, env, async (values) => {
    const command = await import('./doctor/doctor-command.js');
    exitCode = await command.doctor(values, output);
  });
  status.argument('[name]', 'name of a TrafficCopy').usage('[NAME] [flags]');
  stop.argument('[name]', 'name of a TrafficCopy').usage('NAME [flags]');
  const version = new Command('version').summary('Print the version').action(() => output.result(VERSION));
  configureCommand(version);
  addHelpFlags(version);
  for (const command of [start, status, stop, doctor, version]) root.addCommand(command);
  for (const command of [root, ...root.commands]) {
    command.configureOutput({ writeOut: (text) => output.result(text.trimEnd()) });
  }
  root.addHelpText('after', `\n"${NAME} COMMAND --help" lists the flags of a command.`);

  try {
    if (words.length === 0) throw new UsageError('a command is missing: expected start, status, stop or doctor');
    await root.parseAsync([...words], { from: 'user' });
    return exitCode;
  } catch (error) {
    output.endProgress();
    const command = root.commands.find((candidate) => candidate.name() === words[0]);
    return report(error, command === undefined ? NAME : `${NAME} ${command.name()}`, output);
  }
}

function report(error: unknown, commandName: string, output: Output): number {
  const known = error instanceof CommanderError ? usageErrorOf(error) : error;
  if (known === undefined) return 0;
  if (!(known instanceof TrafficCopyError)) {
    const text = known instanceof Error ? (known.stack ?? known.message) : String(known);
    output.note(`${commandName}: this is a fault of the program itself, please report it: ${text}`);
    return 1;
  }
  output.note(`${commandName}: ${known.message}`);
  if (known instanceof UsageError) output.note(`"${commandName} --help" lists what there is.`);
  return known.exitCode;
}
