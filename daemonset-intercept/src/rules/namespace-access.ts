import { execFile } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { RulesError } from './rules-error.js';

export interface CommandOutcome {
  /** Exit status; -1 when the command was ended by a signal. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The edge to one network namespace: its commands, and the files of the kernel that follow the namespace of who opens them. */
export interface NamespaceAccess {
  /** Identifies the namespace on this machine while it exists. */
  identify(): Promise<string>;
  /** Runs a command in the namespace. Undefined when there is no such command. */
  run(command: string, args: readonly string[], input?: string): Promise<CommandOutcome | undefined>;
  /** A file below /proc/sys or /proc/net; undefined when it is not there. */
  read(path: string): Promise<string | undefined>;
  /** Writes a file below /proc/sys. */
  write(path: string, value: string): Promise<void>;
}

/** iptables waits for other users of its lock for 10 s; nothing else takes long. */
const COMMAND_TIMEOUT_MS = 30_000;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
/** iptables and ip are in sbin, which is not in every user's PATH. */
const SEARCH_PATH = `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`;

const SYS = '/proc/sys/';

/** The namespace at `netnsPath`, or the own one. Needs CAP_NET_ADMIN, and CAP_SYS_ADMIN for another namespace. */
export class KernelNamespace implements NamespaceAccess {
  readonly #netnsPath: string | undefined;
  readonly #procPath: string;

  /**
   * @param procPath where settings are written: a container's own /proc/sys is read-only, the host's, mounted elsewhere, is not;
   *   whose settings stand below /proc/sys/net is told by the namespace of who opens them, not by the mount.
   */
  constructor(netnsPath: string | undefined, procPath = '/proc') {
    this.#netnsPath = netnsPath;
    this.#procPath = procPath;
  }

  #pathOf(path: string): string {
    return path.startsWith(SYS) ? `${this.#procPath}/sys/${path.slice(SYS.length)}` : path;
  }

  async identify(): Promise<string> {
    const path = this.#netnsPath ?? '/proc/self/ns/net';
    try {
      return String((await stat(path)).ino);
    } catch (cause) {
      throw new RulesError(
        'ERR_RULES_COMMAND',
        `cannot read the network namespace ${path}: ${reasonOf(cause)} (it is a file such as /run/netns/NAME or /proc/PID/ns/net)`,
        { cause },
      );
    }
  }

  run(command: string, args: readonly string[], input?: string): Promise<CommandOutcome | undefined> {
    return this.#netnsPath === undefined
      ? execute(command, args, input)
      : this.#runElsewhere(this.#netnsPath, command, args, input);
  }

  async #runElsewhere(
    netnsPath: string,
    command: string,
    args: readonly string[],
    input: string | undefined,
  ): Promise<CommandOutcome | undefined> {
    const outcome = await execute('nsenter', [`--net=${netnsPath}`, '--', command, ...args], input);
    if (outcome === undefined) {
      throw new RulesError('ERR_RULES_UNSUPPORTED', 'nsenter is not installed: --netns needs it (package util-linux)');
    }
    // nsenter's word for a command that is not there, as a shell's.
    return outcome.status === 127 ? undefined : outcome;
  }

  async read(path: string): Promise<string | undefined> {
    if (this.#netnsPath === undefined) {
      try {
        return await readFile(this.#pathOf(path), 'utf8');
      } catch (cause) {
        if (isErrno(cause, 'ENOENT')) return undefined;
        throw new RulesError('ERR_RULES_COMMAND', `cannot read ${path}: ${reasonOf(cause)}`, { cause });
      }
    }
    const outcome = await this.run('cat', [this.#pathOf(path)]);
    return outcome?.status === 0 ? outcome.stdout : undefined;
  }

  async write(path: string, value: string): Promise<void> {
    if (this.#netnsPath === undefined) {
      try {
        await writeFile(this.#pathOf(path), value);
        return;
      } catch (cause) {
        throw new RulesError('ERR_RULES_COMMAND', cannotWrite(path, value, reasonOf(cause)), { cause });
      }
    }
    const outcome = await this.run('tee', [this.#pathOf(path)], value);
    if (outcome?.status !== 0) {
      throw new RulesError('ERR_RULES_COMMAND', cannotWrite(path, value, outcome?.stderr.trim() ?? 'no tee command'));
    }
  }
}

function cannotWrite(path: string, value: string, reason: string): string {
  return `cannot set ${path} to ${value.trim()}: ${reason} (it needs CAP_NET_ADMIN and a /proc/sys that can be written; in a container it is read-only)`;
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function isErrno(cause: unknown, code: string): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === code;
}

function execute(
  command: string,
  args: readonly string[],
  input: string | undefined,
): Promise<CommandOutcome | undefined> {
  return new Promise((resolve, reject) => {
    const options = {
      env: { ...process.env, PATH: SEARCH_PATH, LC_ALL: 'C' },
      timeout: COMMAND_TIMEOUT_MS,
      maxBuffer: OUTPUT_BYTES_MAX,
    };
    const child = execFile(command, [...args], options, (error, stdout, stderr) => {
      if (error === null) resolve({ status: 0, stdout, stderr });
      else if (typeof error.code === 'number') resolve({ status: error.code, stdout, stderr });
      else if (error.code === 'ENOENT') resolve(undefined);
      else if (error.killed) {
        const line = [command, ...args].join(' ');
        reject(
          new RulesError('ERR_RULES_COMMAND', `"${line}" did not end within ${COMMAND_TIMEOUT_MS / 1000} s`, {
            cause: error,
          }),
        );
      } else resolve({ status: -1, stdout, stderr: stderr || error.message });
    });
    // A command that ends without reading its input is seen by its status.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input ?? '');
  });
}
