import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LabName } from './lab-name.js';

const NETNS_DIRECTORY = '/run/netns';

/** Removes what labs of dead processes left behind: their namespaces with everything in them, and their directories. */
export function reapDeadLabs(): string[] {
  const reaped: string[] = [];
  for (const name of leftovers()) {
    destroyLab(name);
    reaped.push(name);
  }
  return reaped;
}

/** Kills everything in the namespaces of a lab, deletes them and the lab's directory. Synchronous: also for 'exit'. */
export function destroyLab(labName: string): void {
  for (const netns of list(NETNS_DIRECTORY)) {
    if (!netns.startsWith(`${labName}.`)) continue;
    killAllIn(netns);
    tryCommand('ip', ['netns', 'delete', netns]);
  }
  rmSync(join(tmpdir(), labName), { recursive: true, force: true, maxRetries: 5 });
}

function leftovers(): Set<string> {
  const dead = new Set<string>();
  for (const entry of [...list(NETNS_DIRECTORY), ...list(tmpdir())]) {
    const name = LabName.parse(entry);
    if (name !== undefined && !name.isOwnerAlive) dead.add(name.toString());
  }
  return dead;
}

/** SIGKILL for every process of the namespace, again until none is left: one may have forked meanwhile. */
function killAllIn(netns: string): void {
  for (let round = 0; round < 50; round += 1) {
    const pids = tryCommand('ip', ['netns', 'pids', netns])
      .split('\n')
      .filter((line) => line !== '');
    let alive = 0;
    for (const pid of pids) {
      if (isZombie(Number(pid))) continue;
      alive += 1;
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // It was gone already.
      }
    }
    if (alive === 0) return;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  }
}

function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return true;
  }
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function tryCommand(command: string, args: readonly string[]): string {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}
