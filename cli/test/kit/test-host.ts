import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CommandResult, eventually, runCommand } from '@trafficcopy/lab';

const SCRIPT = fileURLToPath(new URL('../../../test/kit/host.sh', import.meta.url));

/** A host with systemd on which packages can be installed: host.sh. */
export class TestHost {
  /** Its file system's own layer: what differs from this machine. */
  readonly layer: string;
  readonly #directory: string;
  readonly #cgroup: string;
  readonly #process: ChildProcess;
  #pid = 0;

  static async start(): Promise<TestHost> {
    const host = new TestHost();
    try {
      await eventually(
        'the host has started',
        60_000,
        () => host.#hasStarted(),
        async () => host.#said,
      );
      return host;
    } catch (error) {
      await host.close();
      throw error;
    }
  }

  private constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), 'trafficcopy-host-'));
    this.layer = join(this.#directory, 'upper');
    this.#cgroup = join(cgroupMount(), `trafficcopy-host-${process.pid}`);
    this.#process = spawn('setpriv', ['--pdeathsig=KILL', SCRIPT, this.#directory, this.#cgroup], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#said = (this.#said + text).slice(-16_384);
      });
    }
  }

  #said = '';

  async #hasStarted(): Promise<boolean> {
    if (this.#process.exitCode !== null) throw new Error(`host.sh ended with ${this.#process.exitCode}`);
    const outer = this.#process.pid!;
    this.#pid = Number(readFileSync(`/proc/${outer}/task/${outer}/children`, 'utf8').trim().split(' ')[0]);
    if (!readFileSync(`/proc/${this.#pid}/cmdline`, 'utf8').startsWith('/lib/systemd/systemd\0')) return false;
    return (await this.run('systemctl', ['is-active', 'test.target'])).stdout === 'active\n';
  }

  /** Runs a command on it. */
  run(command: string, args: readonly string[], input?: string): Promise<CommandResult> {
    const enter = [
      '--target',
      `${this.#pid}`,
      '--mount',
      '--pid',
      '--net',
      '--uts',
      '--ipc',
      '--cgroup',
      '--root',
      '--wd',
    ];
    const env = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C.UTF-8', 'DEBIAN_FRONTEND=noninteractive'];
    return runCommand('nsenter', [...enter, ...env, command, ...args], { input });
  }

  /** Runs a command that has to succeed, and returns what it printed. */
  async expect(command: string, args: readonly string[], input?: string): Promise<string> {
    const { status, stdout, stderr } = await this.run(command, args, input);
    if (status === 0) return stdout;
    throw new Error(`${[command, ...args].join(' ')} ended with ${status}: ${stderr || stdout}`);
  }

  async close(): Promise<void> {
    const isOver = new Promise((resolve) => this.#process.once('close', resolve));
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill('SIGKILL');
      await isOver;
    }
    await eventually('the cgroups of the host are empty', 30_000, () => removeTree(this.#cgroup));
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function cgroupMount(): string {
  const line = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .find((mount) => mount.split(' ')[2] === 'cgroup2');
  if (line === undefined) throw new Error('there is no cgroup2 file system here');
  return line.split(' ')[1]!;
}

/** True when it is gone. A cgroup goes when it has no processes; its files go with it. */
function removeTree(directory: string): true {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(directory, entry.name));
  }
  rmdirSync(directory);
  return true;
}
