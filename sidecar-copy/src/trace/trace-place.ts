import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const PATTERN = /^trace-(\d+)\.sock$/;

/** Where a copy waits for `trafficcopy trace`: one socket for each process, below the state directory. */
export function traceSocketPath(stateDirectory: string, pid: number): string {
  return join(stateDirectory, `trace-${pid}.sock`);
}

export interface TracePlace {
  readonly pid: number;
  readonly path: string;
}

/** Those below a state directory, also of copies that have died. @throws what reading the directory throws */
export function tracePlaces(stateDirectory: string): TracePlace[] {
  return readdirSync(stateDirectory).flatMap((name) => {
    const pid = PATTERN.exec(name)?.[1];
    return pid === undefined ? [] : [{ pid: Number(pid), path: join(stateDirectory, name) }];
  });
}
