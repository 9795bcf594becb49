/**
 * Who lives: processes by id and start time, so that an id that is used again is not taken for its first owner. Containers on one
 * node count processes each for themselves (every one has a 1), so an intercept in a container looks at the host's /proc, where
 * its own id is another, too.
 */
import { readFileSync } from 'node:fs';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after the start of the machine; 0: not known. */
  readonly startTicks: number;
}

export class ProcessTable {
  /** This process, as others on the machine see it. */
  readonly own: ProcessIdentity;
  readonly #procPath: string;

  /** @param procPath `/proc`, or where the host's is mounted. */
  constructor(procPath = '/proc') {
    this.#procPath = procPath;
    this.own = identityIn(`${procPath}/self`) ?? { pid: process.pid, startTicks: 0 };
  }

  isAlive({ pid, startTicks }: ProcessIdentity): boolean {
    const found = identityIn(`${this.#procPath}/${pid}`);
    return found !== undefined && (startTicks === 0 || startTicks === found.startTicks);
  }
}

export function formatProcess({ pid, startTicks }: ProcessIdentity): string {
  return `${pid} ${startTicks}`;
}

/** What {@link formatProcess} wrote; anything else names nobody who could be alive. */
export function parseProcess(text: string): ProcessIdentity {
  const [pid = 0, startTicks = 0] = text.trim().split(' ').map(Number);
  return Number.isInteger(pid) && Number.isInteger(startTicks) ? { pid, startTicks } : { pid: 0, startTicks: 0 };
}

/** proc_pid_stat(5): `PID (NAME) STATE …`, the start time is field 22. A name can hold anything, so count from its end. */
function identityIn(directory: string): ProcessIdentity | undefined {
  try {
    const text = readFileSync(`${directory}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { pid: Number.parseInt(text, 10), startTicks: Number(fields[19]) };
  } catch {
    return undefined;
  }
}
