import { readFileSync } from 'node:fs';

/** Octets of memory that a process has in RAM (VmRSS of `/proc/PID/status`), and the most that it ever had; undefined when it is gone. */
export function readProcessMemory(
  pid: number,
): { readonly rssBytes: number; readonly rssBytesMax: number } | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const octets = (name: string): number =>
      1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]);
    return { rssBytes: octets('VmRSS'), rssBytesMax: octets('VmHWM') };
  } catch {
    return undefined;
  }
}
