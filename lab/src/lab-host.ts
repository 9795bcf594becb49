import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CommandOptions, type CommandResult, expectCommand, runCommand } from './command.js';
import { eventually } from './deadline.js';
import { LabProcess, type ProcessOptions } from './lab-process.js';
import { Sniffer, type SnifferOptions } from './sniffer.js';

/** Where the lab's own programs are, beside this file. */
const PROGRAMS = fileURLToPath(new URL('./programs/', import.meta.url));

export interface LabHostPlan {
  /** client, online, target, … */
  readonly name: string;
  readonly netnsName: string;
  /** A directory of its own, removed with the lab. */
  readonly directory: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

/** One host of a lab: a network namespace with `lo` and `eth0`, and what runs in it. */
export class LabHost {
  readonly name: string;
  readonly netnsName: string;
  readonly netnsPath: string;
  readonly directory: string;
  readonly ipv4: string;
  readonly ipv6: string;
  readonly deviceName = 'eth0';
  readonly processes: LabProcess[] = [];

  constructor(plan: LabHostPlan) {
    this.name = plan.name;
    this.netnsName = plan.netnsName;
    this.netnsPath = `/run/netns/${plan.netnsName}`;
    this.directory = plan.directory;
    this.ipv4 = plan.ipv4;
    this.ipv6 = plan.ipv6;
  }

  address(family: 4 | 6): string {
    return family === 4 ? this.ipv4 : this.ipv6;
  }

  /** Runs a command in the host to its end. */
  run(command: string, args: readonly string[] = [], options: CommandOptions = {}): Promise<CommandResult> {
    return runCommand('ip', ['netns', 'exec', this.netnsName, command, ...args], options);
  }

  /** Runs a command that has to succeed; returns its standard output. */
  expect(command: string, args: readonly string[] = [], options: CommandOptions = {}): Promise<string> {
    return expectCommand('ip', ['netns', 'exec', this.netnsName, command, ...args], options);
  }

  /** Starts a command in the host; the lab stops it at the latest when it closes. */
  async start(
    name: string,
    command: string,
    args: readonly string[] = [],
    options: ProcessOptions = {},
  ): Promise<LabProcess> {
    const process = await LabProcess.start(
      `${this.name}/${name}`,
      'ip',
      ['netns', 'exec', this.netnsName, command, ...args],
      options,
    );
    this.processes.push(process);
    return process;
  }

  /** Starts one of the lab's own programs with a control channel and waits until it is ready. */
  async program(
    name: string,
    settings: Readonly<Record<string, string | number | boolean | undefined>> = {},
    options: ProcessOptions = {},
  ): Promise<LabProcess> {
    const args = [join(PROGRAMS, `${name}.js`)];
    for (const [key, value] of Object.entries(settings)) {
      if (value === true) args.push(`--${key}`);
      else if (value !== undefined && value !== false) args.push(`--${key}=${value}`);
    }
    const started = await this.start(name, process.execPath, args, { ...options, withControl: true });
    await started.ready();
    return started;
  }

  /** Starts tcpdump in the host and returns once it captures. */
  sniff(filter: string, options: SnifferOptions = {}): Promise<Sniffer> {
    return Sniffer.start(this, filter, options);
  }

  /** Waits until something listens on the TCP port. */
  async listening(port: number, timeoutMs = 20_000, process?: LabProcess): Promise<void> {
    await eventually(`${this.name}: a listener on port ${port}`, timeoutMs, async () => {
      if (process !== undefined && !process.isRunning) return process.expectEnd(0, []).then(() => false);
      return (await this.expect('ss', ['-Hltn', `sport = :${port}`])) !== '';
    });
  }

  /** Waits until the host has a TCP connection to the port. */
  async established(port: number, timeoutMs: number): Promise<void> {
    await eventually(`${this.name}: a connection to port ${port}`, timeoutMs, async () => {
      return (await this.expect('ss', ['-Htn', 'state', 'established', `dport = :${port}`])) !== '';
    });
  }

  /** Reads one kernel setting of the namespace, "net.ipv4.tcp_fwmark_accept". */
  async sysctl(name: string): Promise<string> {
    return (await this.expect('sysctl', ['-n', name])).trim();
  }

  async stopAll(): Promise<void> {
    await Promise.all(
      this.processes.filter((process) => process.isRunning).map((process) => process.stop('SIGTERM', 5_000)),
    );
  }
}
