/**
 * What intercepts that were killed left behind on this node: journals whose namespace nobody works in. Namespaces that still exist are
 * restored, journals of others are removed. A namespace of a pod that is (still) a target is not touched here: whoever serves it takes
 * the rules over as they stand.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { InterceptPodReport } from '@trafficcopy/core';
import type { ProgramLog } from '@trafficcopy/runtime';
import { Journal } from '../rules/journal.js';
import { KernelNamespace } from '../rules/namespace-access.js';
import type { ProcessTable } from '../rules/process-table.js';
import { RulesInstallation } from '../rules/rules-installation.js';
import type { ProcessScan } from './process-scan.js';

/** A namespace without any process for so long is taken for gone. Containers that start again take less. */
const MISSING_MS_MAX = 30_000;

export interface LeftoversOptions {
  readonly stateDirectory: string;
  readonly instance: string;
  readonly procPath: string;
  readonly processes: ProcessTable;
  readonly scan: ProcessScan;
  readonly nowMs: () => number;
  readonly logger: ProgramLog['logger'];
}

export class Leftovers {
  readonly #options: LeftoversOptions;
  /** By inode. */
  readonly #reports = new Map<string, InterceptPodReport>();
  readonly #missingSinceMs = new Map<string, number>();
  #sweeping: Promise<void> | undefined;

  constructor(options: LeftoversOptions) {
    this.#options = options;
  }

  /** What may still hold something of ours. */
  reports(): InterceptPodReport[] {
    return [...this.#reports.values()];
  }

  /**
   * Looks at all journals, and undoes those of namespaces that are not `taken` (inodes). `isWaiting`: only looks, since it is not known yet
   * which pods are targets. Never rejects.
   */
  async sweep(taken: () => Promise<ReadonlySet<string>>, isWaiting: boolean): Promise<void> {
    await this.#sweeping;
    this.#sweeping = this.#sweep(taken, isWaiting)
      .catch((error: unknown) => this.#options.logger.error({ err: error }, 'leftovers cannot be looked for'))
      .finally(() => {
        this.#sweeping = undefined;
      });
    await this.#sweeping;
  }

  async #sweep(taken: () => Promise<ReadonlySet<string>>, isWaiting: boolean): Promise<void> {
    const inodes = await this.#journals();
    for (const inode of [...this.#reports.keys()]) if (!inodes.includes(inode)) this.#forget(inode);
    if (inodes.length === 0) return;
    const takenInodes = await taken();
    for (const inode of inodes) {
      if (takenInodes.has(inode)) this.#forget(inode);
      else if (isWaiting) this.#tell(inode, 'leaving', 'left by an intercept that was killed; waits for settings');
      else await this.#undo(inode);
    }
  }

  async #undo(inode: string): Promise<void> {
    const { scan, nowMs, logger } = this.#options;
    const pid = (await scan.run()).byNamespace.get(inode);
    const namespace = pid === undefined ? undefined : scan.openAny(pid);
    if (namespace === undefined || namespace.inode !== inode) {
      namespace?.close();
      const sinceMs = this.#missingSinceMs.get(inode) ?? nowMs();
      this.#missingSinceMs.set(inode, sinceMs);
      this.#tell(inode, 'leaving', 'left by an intercept that was killed; no process is in it any more');
      if (nowMs() - sinceMs >= MISSING_MS_MAX) await this.#remove(inode);
      return;
    }
    try {
      await this.#restore(namespace.path, inode);
    } catch (error) {
      this.#tell(inode, 'failed', (error as Error).message);
      logger.error({ err: error }, `the network namespace ${inode} cannot be restored`);
    } finally {
      namespace.close();
    }
  }

  async #restore(path: string, inode: string): Promise<void> {
    const { stateDirectory, instance, procPath, processes, logger } = this.#options;
    this.#missingSinceMs.delete(inode);
    const access = new KernelNamespace(path, procPath);
    const notes = await RulesInstallation.undo({ access, stateDirectory, instance, processes });
    if (notes === undefined) {
      this.#tell(inode, 'leaving', 'the intercept before this one still works here');
      return;
    }
    for (const note of notes) logger.warn(note);
    logger.info({ namespace: inode }, 'what a killed intercept left is undone');
    this.#forget(inode);
  }

  async #remove(inode: string): Promise<void> {
    const directory = Journal.directoryOf(this.#options.stateDirectory);
    await rm(join(directory, `netns-${inode}.json`), { force: true });
    this.#options.logger.info({ namespace: inode }, 'a network namespace that a killed intercept had changed is gone');
    this.#forget(inode);
  }

  async #journals(): Promise<string[]> {
    try {
      const names = await readdir(Journal.directoryOf(this.#options.stateDirectory));
      return names.flatMap((name) => Journal.namespaceOf(name) ?? []);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  #tell(inode: string, state: InterceptPodReport['state'], message: string): void {
    this.#reports.set(inode, { uid: `netns:${inode}`, state, message });
  }

  #forget(inode: string): void {
    this.#reports.delete(inode);
    this.#missingSinceMs.delete(inode);
  }
}
