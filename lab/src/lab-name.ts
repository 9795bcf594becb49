import { readFileSync } from 'node:fs';

const PATTERN = /^tclab\.(\d+)\.(\d+)\.(\d+)(?:\.([a-z0-9-]+))?$/;

/**
 * Names what a lab owns (namespaces, its directory) after the process that made it: `tclab.PID.START.N[.HOST]`. The start
 * time tells a living owner from another process that was given the same pid later.
 */
export class LabName {
  readonly ownerPid: number;
  readonly ownerStartTicks: number;
  readonly serial: number;

  constructor(ownerPid: number, ownerStartTicks: number, serial: number) {
    this.ownerPid = ownerPid;
    this.ownerStartTicks = ownerStartTicks;
    this.serial = serial;
  }

  /** The name of lab number `serial` of this process. */
  static ofThisProcess(serial: number): LabName {
    return new LabName(process.pid, startTicks(process.pid) ?? 0, serial);
  }

  /** Undefined when the name is not one that a lab gives. */
  static parse(name: string): LabName | undefined {
    const match = PATTERN.exec(name);
    if (match === null) return undefined;
    return new LabName(Number(match[1]), Number(match[2]), Number(match[3]));
  }

  get isOwnerAlive(): boolean {
    return startTicks(this.ownerPid) === this.ownerStartTicks;
  }

  toString(): string {
    return `tclab.${this.ownerPid}.${this.ownerStartTicks}.${this.serial}`;
  }

  hostName(host: string): string {
    return `${this.toString()}.${host}`;
  }
}

/** Start of a process in clock ticks since boot (proc(5), stat field 22); undefined when there is no such process. */
function startTicks(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  } catch {
    return undefined;
  }
}
