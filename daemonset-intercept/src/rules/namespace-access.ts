import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { inNamespace, rulesetGeneration } from '@trafficcopy/native';
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
  /** Another number after each change of what nf_tables holds there; undefined where the kernel does not count. */
  rulesetGeneration(): number | undefined;
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
const NET = '/proc/net/';

/** The namespace at `netnsPath`, or the own one. Needs CAP_NET_ADMIN, and CAP_SYS_ADMIN for another namespace. */
export class KernelNamespace implements NamespaceAccess {
  /** What `iptables --version` and the like say is the same in every namespace. */
  static readonly #versions = new Map<string, Promise<CommandOutcome | undefined>>();
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

  async run(command: string, args: readonly string[], input?: string): Promise<CommandOutcome | undefined> {
    if (args.length !== 1 || args[0] !== '--version') return this.#inside(() => execute(command, args, input));
    let version = KernelNamespace.#versions.get(command);
    if (version === undefined) {
      version = execute(command, args, input);
      KernelNamespace.#versions.set(command, version);
      version.catch(() => KernelNamespace.#versions.delete(command));
    }
    return version;
  }

  rulesetGeneration(): number | undefined {
    return this.#inside(rulesetGeneration);
  }

  async read(path: string): Promise<string | undefined> {
    try {
      return this.#inside(() => readFileSync(this.#pathOf(path), 'utf8'));
    } catch (cause) {
      if (isErrno(cause, 'ENOENT')) return undefined;
      throw new RulesError('ERR_RULES_COMMAND', `cannot read ${path}: ${reasonOf(cause)}`, { cause });
    }
  }

  async write(path: string, value: string): Promise<void> {
    try {
      this.#inside(() => writeFileSync(this.#pathOf(path), value));
    } catch (cause) {
      throw new RulesError('ERR_RULES_COMMAND', cannotWrite(path, value, reasonOf(cause)), { cause });
    }
  }

  /** Runs `work`, and whatever process it starts, in the namespace. */
  #inside<T>(work: () => T): T {
    return this.#netnsPath === undefined ? work() : inNamespace(this.#netnsPath, work);
  }

  #pathOf(path: string): string {
    if (path.startsWith(SYS)) return `${this.#procPath}/sys/${path.slice(SYS.length)}`;
    // /proc/net is that of the process, whose main thread may be another one.
    return path.startsWith(NET) ? `/proc/thread-self/net/${path.slice(NET.length)}` : path;
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
