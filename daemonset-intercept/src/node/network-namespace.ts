import { closeSync, fstatSync, openSync } from 'node:fs';

/**
 * A network namespace that is held open. A process id may be given to a process of another pod at any moment; what is open stays what
 * it is, and keeps existing, until it is closed.
 */
export class NetworkNamespace {
  /** Identifies it on the machine while it exists. */
  readonly inode: string;
  /** Leads to it, for this process and its children. */
  readonly path: string;
  readonly #fd: number;
  #isOpen = true;

  private constructor(fd: number) {
    this.#fd = fd;
    this.inode = String(fstatSync(fd).ino);
    this.path = `/proc/${process.pid}/fd/${fd}`;
  }

  /** Opens a file such as /proc/PID/ns/net. Needs CAP_SYS_PTRACE for processes of others. Undefined when it is gone. */
  static open(file: string): NetworkNamespace | undefined {
    let fd: number;
    try {
      fd = openSync(file, 'r');
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
    return new NetworkNamespace(fd);
  }

  /** Idempotent. */
  close(): void {
    if (this.#isOpen) closeSync(this.#fd);
    this.#isOpen = false;
  }
}

/** The process has ended, before or while its files were looked at. */
export function isGone(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'ESRCH';
}
