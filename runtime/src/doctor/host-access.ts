import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** What doctor looks at on this host. It reads files and asks commands, and changes nothing. */
export interface HostAccess {
  /** A file; undefined when it is not there or may not be read. */
  read(path: string): string | undefined;
  /** What a command says; undefined when there is no such command. */
  run(command: string, args: readonly string[]): Promise<CommandAnswer | undefined>;
}

export interface CommandAnswer {
  /** Exit status; -1 when it was ended. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const COMMAND_TIMEOUT_MS = 20_000;
/** What doctor asks is in sbin, which is not in every user's PATH. */
const SEARCH_PATH = `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`;

/** The host that this program runs on. */
export const THIS_HOST: HostAccess = {
  read(path: string): string | undefined {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  },
  run(command: string, args: readonly string[]): Promise<CommandAnswer | undefined> {
    const env = { ...process.env, PATH: SEARCH_PATH, LC_ALL: 'C' };
    return new Promise((resolve) => {
      execFile(command, [...args], { env, timeout: COMMAND_TIMEOUT_MS }, (error, stdout, stderr) => {
        if (error?.code === 'ENOENT') resolve(undefined);
        else resolve({ status: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr });
      });
    });
  },
};
