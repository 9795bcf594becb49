import { execFile } from 'node:child_process';
import { LabError } from './lab-error.js';

export interface CommandResult {
  /** Exit status; 128 + signal number is not used: a signal is in `signal`. */
  readonly status: number;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly input?: string | undefined;
  readonly timeoutMs?: number | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
}

const OUTPUT_BYTES_MAX = 256 * 1024 * 1024;

/** Runs a command to its end. A status other than 0 is a result, not an error; a command that is not there is one. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      args,
      {
        maxBuffer: OUTPUT_BYTES_MAX,
        timeout: options.timeoutMs ?? 60_000,
        killSignal: 'SIGKILL',
        cwd: options.cwd,
        env: options.env === undefined ? process.env : { ...process.env, ...options.env },
      },
      (error, stdout, stderr) => {
        if (error !== null && typeof error.code !== 'number' && error.signal == null) {
          reject(new LabError('ERR_LAB_COMMAND', `cannot run ${command}: ${error.message}`, { cause: error }));
          return;
        }
        const status = typeof error?.code === 'number' ? error.code : error === null ? 0 : -1;
        resolve({ status, signal: error?.signal ?? undefined, stdout, stderr });
      },
    );
    // A command may end before it has read its input; its status tells.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input ?? '');
  });
}

/** Runs a command that has to succeed and returns its standard output. */
export async function expectCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { status, signal, stdout, stderr } = await runCommand(command, args, options);
  if (status !== 0) {
    const end = signal === undefined ? `status ${status}` : `signal ${signal}`;
    const words = [command, ...args].join(' ');
    throw new LabError(
      'ERR_LAB_COMMAND',
      `${words.slice(0, 300)}: ended with ${end}: ${(stderr || stdout).trim().slice(-2000)}`,
    );
  }
  return stdout;
}
