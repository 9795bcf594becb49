import type { Lab, LabProcess } from '@trafficcopy/lab';

/** The processes of one way to copy, while they run. */
export interface RunningContender {
  readonly copy: LabProcess;
  readonly intercept: LabProcess;
  /** Waits until what was captured has been delivered, where the contender can tell, at most some seconds. */
  quiet(): Promise<void>;
  stop(): Promise<void>;
}

/** One way to copy: this project with some settings, or a pair of C programs. */
export interface Contender {
  readonly name: string;
  /** Takes part in this workload only; undefined: in all. */
  readonly onlyWorkload: string | undefined;
  /** Hosts that it needs beside client, online and target. */
  readonly extraHosts: readonly string[];
  start(lab: Lab, ports: { readonly online: number; readonly target: number }): Promise<RunningContender>;
}
