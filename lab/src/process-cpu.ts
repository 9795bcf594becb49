import { readFileSync } from 'node:fs';

/** proc(5) counts in clock ticks; USER_HZ is 100 on every architecture that Node.js runs on. */
const TICK_MS = 10;

/** CPU time of a process and of all its threads, in milliseconds, split as the kernel splits it. */
export interface ProcessCpu {
  readonly userMs: number;
  readonly systemMs: number;
}

/** Reads utime and stime of `/proc/PID/stat`; undefined when the process is gone. */
export function readProcessCpu(pid: number): ProcessCpu | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { userMs: Number(fields[11]) * TICK_MS, systemMs: Number(fields[12]) * TICK_MS };
  } catch {
    return undefined;
  }
}
