import { buildCommand, UsageError, ValueProblem } from '@trafficcopy/runtime';
import { sessionFilterValue } from '@trafficcopy/sidecar-copy/config';
import type { Command } from 'commander';
import { TRACE_COMMAND } from './trace-flags.js';

/** `trafficcopy trace [FILTER]`. */
export function traceCommand(
  env: Readonly<Record<string, string | undefined>>,
  onEnd: (exitCode: number) => void,
): Command {
  const command = buildCommand(TRACE_COMMAND, env, async ({ stateDirectory, pid, durationMs }) => {
    const filter = command.args[0] ?? 'all';
    check(filter);
    const { runTrace } = await import('@trafficcopy/sidecar-copy/trace');
    onEnd(await runTrace({ stateDirectory, pid, durationMs, filter }, process.stdout));
  });
  return command.argument('[FILTER]').usage('[FILTER] [flags]');
}

function check(filter: string): void {
  try {
    sessionFilterValue.parse(filter);
  } catch (error) {
    if (!(error instanceof ValueProblem)) throw error;
    const reason = error.message === '' ? '' : ` (${error.message})`;
    throw new UsageError(`"${filter}" does not fit${reason}: expected ${sessionFilterValue.expected}`, {
      cause: error,
    });
  }
}
