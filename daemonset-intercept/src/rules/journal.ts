/**
 * What was found in a network namespace before anything was changed there, and which intercepts changed it: one file in the
 * state directory for each namespace, written (and on the disk) before each change that it describes. It outlives
 * `kill -9`; the next start reads it, and the last intercept that leaves restores from it. It does not outlive a reboot,
 * as the kernel's settings don't either (`bootId`).
 */
import { link, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeStateDirectory } from '@trafficcopy/runtime';
import type { IptablesKind } from './iptables.js';
import type { NamespaceAccess } from './namespace-access.js';
import { formatProcess, type ProcessIdentity, type ProcessTable, parseProcess } from './process-table.js';
import { RulesError } from './rules-error.js';

export interface JournalInstance {
  readonly pid: number;
  readonly slotIndex: number;
  readonly queueNumber: number;
  readonly kind: IptablesKind;
  /** Families that got the fallback route. */
  readonly routes: readonly (4 | 6)[];
}

export interface JournalContent {
  readonly version: 1;
  readonly bootId: string;
  /** Inode of the namespace. */
  readonly namespace: string;
  readonly found: {
    /** Values by path below /proc/sys, as read. */
    readonly sysctls: Readonly<Record<string, string>>;
    /** What carried mangle rules before: `nft4`, `nft4:OUTPUT`, `legacy6`, … */
    readonly tables: readonly string[];
  };
  readonly instances: Readonly<Record<string, JournalInstance>>;
}

const DIRECTORY = 'intercept';
/** Nobody else needs to know; nothing in it is secret. */
const FILE_MODE = 0o600;
const LOCK_RETRY_MS = 50;
const LOCK_WAIT_MS = 30_000;

export class Journal {
  readonly #directory: string;
  readonly #path: string;
  readonly #lockPath: string;
  readonly #namespace: string;
  readonly #bootId: string;
  readonly #processes: ProcessTable;

  private constructor(stateDirectory: string, namespace: string, bootId: string, processes: ProcessTable) {
    this.#processes = processes;
    this.#directory = Journal.directoryOf(stateDirectory);
    this.#path = join(this.#directory, `netns-${namespace}.json`);
    this.#lockPath = join(this.#directory, `netns-${namespace}.lock`);
    this.#namespace = namespace;
    this.#bootId = bootId;
  }

  static async ofNamespace(access: NamespaceAccess, stateDirectory: string, processes: ProcessTable): Promise<Journal> {
    const namespace = await access.identify();
    const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    return new Journal(stateDirectory, namespace, bootId, processes);
  }

  get path(): string {
    return this.#path;
  }

  static directoryOf(stateDirectory: string): string {
    return join(stateDirectory, DIRECTORY);
  }

  /** The namespace that a file of the directory is about; undefined when it is no journal. */
  static namespaceOf(fileName: string): string | undefined {
    return /^netns-(\d+)\.json$/.exec(fileName)?.[1];
  }

  /** Runs `work` while no other intercept with this state directory changes or reads the same namespace. */
  async locked<T>(work: () => Promise<T>): Promise<T> {
    await makeStateDirectory(this.#directory);
    await this.#lock();
    try {
      return await work();
    } finally {
      await rm(this.#lockPath, { force: true });
    }
  }

  /** Undefined when there is none for this namespace since the machine started. */
  async load(): Promise<JournalContent | undefined> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (cause) {
      if (hasCode(cause, 'ENOENT')) return undefined;
      throw this.#failed('read', this.#path, cause);
    }
    const content = parseJournal(text);
    if (content === undefined) {
      throw new RulesError(
        'ERR_RULES_JOURNAL',
        `${this.#path} is no journal of this version: it tells what to restore in this network namespace; restore that by hand and remove the file`,
      );
    }
    return content.bootId === this.#bootId && content.namespace === this.#namespace ? content : undefined;
  }

  /** Replaces the journal; it is on the disk when this returns. */
  async store(found: JournalContent['found'], instances: JournalContent['instances']): Promise<void> {
    const content: JournalContent = {
      version: 1,
      bootId: this.#bootId,
      namespace: this.#namespace,
      found,
      instances,
    };
    const draft = `${this.#path}.new`;
    await this.#attempt('write', this.#path, async () => {
      const file = await open(draft, 'w', FILE_MODE);
      try {
        await file.writeFile(`${JSON.stringify(content, undefined, 2)}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, this.#path);
    });
  }

  async remove(): Promise<void> {
    await this.#attempt('remove', this.#path, () => rm(this.#path, { force: true }));
  }

  async #lock(): Promise<void> {
    const deadlineMs = performance.now() + LOCK_WAIT_MS;
    const own = `${this.#lockPath}.${this.#processes.own.pid}`;
    try {
      await writeFile(own, `${formatProcess(this.#processes.own)}\n`, { mode: FILE_MODE });
      while (!(await this.#tryLock(own))) {
        const holder = await this.#lockHolder();
        if (holder !== undefined && !this.#processes.isAlive(holder)) {
          await rm(this.#lockPath, { force: true });
          continue;
        }
        if (performance.now() > deadlineMs) {
          throw new RulesError(
            'ERR_RULES_JOURNAL',
            `another intercept has held ${this.#lockPath} for ${LOCK_WAIT_MS / 1000} s: is it stopped? Its process id is in that file`,
          );
        }
        await new Promise((resolve) => setTimeout(resolve, LOCK_RETRY_MS));
      }
    } finally {
      await rm(own, { force: true });
    }
  }

  /** The file appears with its content in one step: a holder that is killed in between cannot leave one that names nobody. */
  async #tryLock(own: string): Promise<boolean> {
    try {
      await link(own, this.#lockPath);
      return true;
    } catch (cause) {
      if (hasCode(cause, 'EEXIST')) return false;
      throw this.#failed('lock', this.#lockPath, cause);
    }
  }

  /** Undefined when it is free by now. */
  async #lockHolder(): Promise<ProcessIdentity | undefined> {
    try {
      return parseProcess(await readFile(this.#lockPath, 'utf8'));
    } catch (cause) {
      if (hasCode(cause, 'ENOENT')) return undefined;
      throw this.#failed('lock', this.#lockPath, cause);
    }
  }

  async #attempt(what: string, path: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (cause) {
      throw this.#failed(what, path, cause);
    }
  }

  #failed(what: string, path: string, cause: unknown): RulesError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new RulesError(
      'ERR_RULES_JOURNAL',
      `cannot ${what} ${path}: ${reason} (--state names a directory that this user can write)`,
      { cause },
    );
  }
}

/** Undefined when the text is no journal of this version. */
export function parseJournal(text: string): JournalContent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(value) || value['version'] !== 1) return undefined;
  const { bootId, namespace, found, instances } = value;
  if (typeof bootId !== 'string' || typeof namespace !== 'string' || !isRecord(found) || !isRecord(instances)) {
    return undefined;
  }
  const { sysctls, tables } = found;
  if (!isRecord(sysctls) || !Object.values(sysctls).every((item) => typeof item === 'string')) return undefined;
  if (!Object.keys(sysctls).every((path) => /^\/proc\/sys\/net\/[a-z0-9_/]+$/.test(path))) return undefined;
  if (!Array.isArray(tables) || !tables.every((item) => typeof item === 'string')) return undefined;
  if (!Object.values(instances).every(isInstance)) return undefined;
  return value as unknown as JournalContent;
}

function isInstance(value: unknown): value is JournalInstance {
  if (!isRecord(value)) return false;
  const { pid, slotIndex, queueNumber, kind, routes } = value;
  const numbers = [pid, slotIndex, queueNumber].every((item) => Number.isInteger(item));
  const isRouted = Array.isArray(routes) && routes.every((family) => family === 4 || family === 6);
  return numbers && isRouted && (kind === 'nft' || kind === 'legacy');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasCode(cause: unknown, code: string): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === code;
}
