/**
 * Finds the network namespaces of pods: by the pod's UID in the cgroup of its processes. The UID stands there with dashes (cgroupfs) or
 * underscores (systemd), anywhere in the path, as a reader in a container sees paths relative to its own cgroup. Both versions of
 * cgroups, and every runtime, write it as `pod<UID>`.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { isGone, NetworkNamespace } from './network-namespace.js';

const POD = /pod([0-9a-f]{8}([-_])[0-9a-f]{4}\2[0-9a-f]{4}\2[0-9a-f]{4}\2[0-9a-f]{12}|[0-9a-f]{32})(?![0-9a-f])/gi;
/** Processes that are looked at in one turn of the loop: about a millisecond. */
const PROCESSES_PER_TURN = 64;
/** A result so young is handed out again: many pods are looked for at the same time. */
const FRESH_MS = 300;

/** What was found: a process for each namespace, and the namespaces of each pod. */
export interface ScannedProcesses {
  /** Process id by inode of the namespace. */
  readonly byNamespace: ReadonlyMap<string, number>;
  /** By UID with dashes, lower case: process id by inode. Most pods have one namespace. */
  readonly byPod: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

export class ProcessScan {
  readonly #procPath: string;
  readonly #nowMs: () => number;
  #scanning: Promise<ScannedProcesses> | undefined;
  #result: ScannedProcesses | undefined;
  #scannedMs = 0;

  constructor(procPath: string, nowMs: () => number) {
    this.#procPath = procPath;
    this.#nowMs = nowMs;
  }

  /** All processes, as they are now or were a moment ago. */
  async run(): Promise<ScannedProcesses> {
    if (this.#result !== undefined && this.#nowMs() - this.#scannedMs < FRESH_MS) return this.#result;
    this.#scanning ??= this.#scan().finally(() => {
      this.#scanning = undefined;
    });
    return await this.#scanning;
  }

  /**
   * The namespace of a process that still is one of the pod, held open; undefined when it is not. Looked at in this order, a process id
   * that was given to somebody else in between is noticed.
   */
  open(pid: number, podUid: string): NetworkNamespace | undefined {
    const namespace = this.openAny(pid);
    if (namespace !== undefined && !podsOf(this.#cgroup(pid)).includes(podUid)) {
      namespace.close();
      return undefined;
    }
    return namespace;
  }

  /** The namespace of a process, held open. */
  openAny(pid: number): NetworkNamespace | undefined {
    return NetworkNamespace.open(this.#namespaceFile(pid));
  }

  /** Whether a process still is one of the pod, and in the namespace. */
  isIn(pid: number, podUid: string, inode: string): boolean {
    return this.#inodeOf(pid) === inode && podsOf(this.#cgroup(pid)).includes(podUid);
  }

  /** The network namespace of the node itself; undefined when process 1 cannot be seen. */
  nodeNamespace(): string | undefined {
    return this.#inodeOf(1);
  }

  async #scan(): Promise<ScannedProcesses> {
    const byNamespace = new Map<string, number>();
    const byPod = new Map<string, Map<string, number>>();
    const pids = readdirSync(this.#procPath).filter((name) => /^\d+$/.test(name));
    for (const [index, name] of pids.entries()) {
      if (index % PROCESSES_PER_TURN === PROCESSES_PER_TURN - 1) await new Promise((resolve) => setImmediate(resolve));
      const pid = Number(name);
      const inode = this.#inodeOf(pid);
      if (inode === undefined) continue;
      if (!byNamespace.has(inode)) byNamespace.set(inode, pid);
      for (const uid of podsOf(this.#cgroup(pid))) {
        const namespaces = byPod.get(uid) ?? new Map<string, number>();
        if (!namespaces.has(inode)) namespaces.set(inode, pid);
        byPod.set(uid, namespaces);
      }
    }
    this.#result = { byNamespace, byPod };
    this.#scannedMs = this.#nowMs();
    return this.#result;
  }

  #inodeOf(pid: number): string | undefined {
    try {
      return String(statSync(this.#namespaceFile(pid)).ino);
    } catch (error) {
      // Kernel threads and processes that just ended; and those that we may not look at are none of a pod of ours.
      if (isGone(error) || isForbidden(error)) return undefined;
      throw error;
    }
  }

  #cgroup(pid: number): string {
    try {
      return readFileSync(`${this.#procPath}/${pid}/cgroup`, 'utf8');
    } catch {
      return '';
    }
  }

  #namespaceFile(pid: number): string {
    return `${this.#procPath}/${pid}/ns/net`;
  }
}

/** UIDs of pods that a cgroup file names: with dashes, lower case. */
export function podsOf(cgroup: string): string[] {
  const uids = [...cgroup.matchAll(POD)].map(([, uid]) => uid!.toLowerCase().replaceAll('_', '-'));
  return [...new Set(uids)];
}

/** metadata.uid as it stands in cgroups; undefined when it is none. (Mirror pods of static ones are known there by 32 digits.) */
export function canonicalPodUid(text: string): string | undefined {
  const [uid] = podsOf(`pod${text}`);
  return uid !== undefined && uid.length === text.length ? uid : undefined;
}

function isForbidden(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'EACCES' || code === 'EPERM';
}
