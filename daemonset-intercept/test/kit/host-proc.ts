import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A node's /proc in which some processes belong to pods: a directory for each, with a cgroup file that names the pod and the real network
 * namespace of a real process. Settings are the machine's own.
 */
export class HostProc {
  readonly path = mkdtempSync(join(tmpdir(), 'tcI-proc-'));

  constructor() {
    symlinkSync('/proc/sys', join(this.path, 'sys'));
    symlinkSync('/proc/self', join(this.path, 'self'));
  }

  /** The process is one of the pod from now on. */
  addProcess(pid: number, podUid: string): void {
    const directory = join(this.path, String(pid));
    const slice = `kubelet-kubepods-besteffort-pod${podUid.replaceAll('-', '_')}.slice`;
    mkdirSync(directory);
    writeFileSync(join(directory, 'cgroup'), `9:name=systemd:/../${slice}/cri-containerd-${pid}.scope\n0::/\n`);
    this.#link(pid);
  }

  /** A process that is none of a pod, such as an intercept. */
  addOther(pid: number): void {
    const directory = join(this.path, String(pid));
    mkdirSync(directory);
    writeFileSync(join(directory, 'cgroup'), '0::/\n');
    this.#link(pid);
  }

  #link(pid: number): void {
    symlinkSync(`/proc/${pid}/ns`, join(this.path, String(pid), 'ns'));
    symlinkSync(`/proc/${pid}/stat`, join(this.path, String(pid), 'stat'));
  }

  removeProcess(pid: number): void {
    rmSync(join(this.path, String(pid)), { recursive: true });
  }

  close(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
