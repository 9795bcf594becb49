import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** Why tests of kernel facilities cannot run here; false when they can. */
export const skipWithoutRoot = process.geteuid?.() === 0 ? false : 'needs root: network namespaces and raw sockets';

export interface TestHost {
  readonly netns: string;
  readonly netnsPath: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

const MAC_A = '02:00:00:00:00:0a';
const MAC_B = '02:00:00:00:00:0b';

const PREFIX = 'tcnative';

let serial = 0;

/** Removes what processes left that were killed. */
function reapDead(): void {
  if (!existsSync('/run/netns')) return;
  for (const netns of readdirSync('/run/netns')) {
    const pid = new RegExp(`^${PREFIX}-(\\d+)-`).exec(netns)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    // Another process may be doing the same.
    try {
      ip('netns', 'delete', netns);
    } catch {}
  }
}

/** Two hosts with a cable between them: network namespaces with `eth0` each (veth), 10.99.0.1/2 and fd99::1/2. */
export class TestNetwork {
  readonly a: TestHost;
  readonly b: TestHost;

  constructor() {
    if (serial === 0) reapDead();
    serial += 1;
    const prefix = `${PREFIX}-${process.pid}-${serial}`;
    const host = (name: string, index: number): TestHost => ({
      netns: `${prefix}-${name}`,
      netnsPath: `/run/netns/${prefix}-${name}`,
      ipv4: `10.99.0.${index}`,
      ipv6: `fd99::${index}`,
    });
    this.a = host('a', 1);
    this.b = host('b', 2);
    for (const { netns } of [this.a, this.b]) {
      ip('netns', 'add', netns);
      // No address of its own making, no neighbour discovery beyond what tests cause.
      this.run(netns, 'sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0', 'net.ipv6.conf.default.addr_gen_mode=1');
      ip('-n', netns, 'link', 'set', 'lo', 'up');
    }
    this.plug();
  }

  /** Lays the cable (again). */
  plug(): void {
    ip('-n', this.a.netns, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.b.netns);
    for (const [{ netns, ipv4, ipv6 }, peer, macAddress, peerMacAddress] of [
      [this.a, this.b, MAC_A, MAC_B],
      [this.b, this.a, MAC_B, MAC_A],
    ] as const) {
      ip('-n', netns, 'link', 'set', 'eth0', 'address', macAddress);
      ip('-n', netns, 'address', 'add', `${ipv4}/24`, 'dev', 'eth0');
      ip('-n', netns, 'address', 'add', `${ipv6}/64`, 'dev', 'eth0', 'nodad');
      ip('-n', netns, 'link', 'set', 'eth0', 'up');
      // Known neighbours: a burst to one that must be looked for first would lose packets.
      for (const address of [peer.ipv4, peer.ipv6]) {
        ip('-n', netns, 'neighbour', 'add', address, 'lladdr', peerMacAddress, 'dev', 'eth0');
      }
    }
  }

  unplug(): void {
    ip('-n', this.a.netns, 'link', 'delete', 'eth0');
  }

  /** Runs a command in a namespace to its end and returns what it prints; it has to succeed. */
  run(netns: string, ...command: string[]): string {
    return execFileSync('ip', ['netns', 'exec', netns, ...command], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** What the interfaces and the processors have dropped, for messages. */
  counters(): string {
    const links = [this.a, this.b].map(({ netns }) => this.run(netns, 'ip', '-s', '-s', 'link', 'show', 'eth0'));
    return [...links, readFileSync('/proc/net/softnet_stat', 'utf8')].join('\n');
  }

  /** Starts a Node.js script (its text) in a namespace and waits until it prints its first line; all lines are kept. */
  async startScript(netns: string, script: string, ...args: string[]): Promise<ScriptProcess> {
    const child = spawn(
      'ip',
      ['netns', 'exec', netns, process.execPath, '--input-type=module', '-e', script, ...args],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    const lines: string[] = [];
    const firstLine = await new Promise<string>((resolve, reject) => {
      createInterface(child.stdout).on('line', (line) => {
        lines.push(line);
        resolve(line);
      });
      child.once('exit', (code) => reject(new Error(`the script ended with ${code} before it was ready`)));
    });
    return { firstLine, lines, close: () => void child.kill('SIGKILL') };
  }

  close(): void {
    for (const { netns } of [this.a, this.b]) ip('netns', 'delete', netns);
  }
}

export interface ScriptProcess {
  readonly firstLine: string;
  /** What it has printed until now. */
  readonly lines: readonly string[];
  close(): void;
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
