import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expectCommand } from './command.js';
import { LabError } from './lab-error.js';
import { LabHost } from './lab-host.js';
import { LabName } from './lab-name.js';
import { destroyLab, reapDeadLabs } from './reaper.js';

export interface LabOptions {
  /** Hosts beside client, online and target. */
  readonly extraHosts?: readonly string[] | undefined;
  /**
   * What travels between the hosts. `superpackets` (default): up to 64 KB and with partial checksums, as veth pairs do it and as a
   * real receiver's GRO hands it up. `segments`: MTU-sized with full checksums, and merged by the receiver's GRO, as on a wire.
   */
  readonly wire?: 'superpackets' | 'segments' | undefined;
  /** Largest IP packet between the hosts, octets. */
  readonly mtuBytes?: number | undefined;
}

const open = new Set<Lab>();
let serial = 0;
let isHooked = false;

/** Hosts on one switch, each a network namespace. Needs root. */
export class Lab {
  readonly name: LabName;
  /** Removed with the lab. */
  readonly directory: string;
  readonly client: LabHost;
  readonly online: LabHost;
  readonly target: LabHost;
  readonly hosts: readonly LabHost[];

  private constructor(name: LabName, hostNames: readonly string[]) {
    this.name = name;
    this.directory = join(tmpdir(), name.toString());
    this.hosts = hostNames.map(
      (host, index) =>
        new LabHost({
          name: host,
          netnsName: name.hostName(host),
          directory: join(this.directory, host),
          ipv4: `10.77.0.${index + 1}`,
          ipv6: `fd77::${index + 1}`,
        }),
    );
    this.client = this.host('client');
    this.online = this.host('online');
    this.target = this.host('target');
  }

  /** Builds the lab, after removing what labs of dead processes left. Throws LabError without root. */
  static async create(options: LabOptions = {}): Promise<Lab> {
    if (process.geteuid?.() !== 0) {
      throw new LabError('ERR_LAB_PRIVILEGE', 'a lab needs network namespaces: run as root');
    }
    hookEnds();
    reapDeadLabs();
    serial += 1;
    const lab = new Lab(LabName.ofThisProcess(serial), ['client', 'online', 'target', ...(options.extraHosts ?? [])]);
    open.add(lab);
    try {
      for (const host of lab.hosts) mkdirSync(host.directory, { recursive: true, mode: 0o755 });
      await lab.#wire(options);
    } catch (error) {
      lab.#destroy();
      throw error;
    }
    return lab;
  }

  /** Builds a lab, runs `work` in it and removes the lab, whatever happens. */
  static async with<T>(options: LabOptions, work: (lab: Lab) => Promise<T>): Promise<T> {
    const lab = await Lab.create(options);
    try {
      return await work(lab);
    } finally {
      await lab.close();
    }
  }

  host(name: string): LabHost {
    const host = this.hosts.find((candidate) => candidate.name === name);
    if (host === undefined) throw new LabError('ERR_LAB_PROCESS', `the lab has no host ${name}`);
    return host;
  }

  /** Stops what runs in the lab, newest first, and removes it. */
  async close(): Promise<void> {
    if (!open.has(this)) return;
    await Promise.all(this.hosts.map((host) => host.stopAll()));
    this.#destroy();
  }

  #destroy(): void {
    open.delete(this);
    destroyLab(this.name.toString());
  }

  /** Ends of this process, not of one lab: removes all that are open. */
  static destroyAll(): void {
    for (const lab of [...open]) lab.#destroy();
  }

  async #wire(options: LabOptions): Promise<void> {
    const switchName = this.name.hostName('switch');
    const mtuBytes = options.mtuBytes ?? 1500;
    for (const netns of [switchName, ...this.hosts.map((host) => host.netnsName)]) {
      await expectCommand('ip', ['netns', 'add', netns]);
    }
    await quietNamespace(switchName);
    await ipBatch(switchName, [
      'link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0',
      'link set br0 up',
    ]);
    await Promise.all(
      this.hosts.map((host, index) => this.#plug(host, index, switchName, mtuBytes, options.wire ?? 'superpackets')),
    );
  }

  async #plug(
    host: LabHost,
    index: number,
    switchName: string,
    mtuBytes: number,
    wire: 'superpackets' | 'segments',
  ): Promise<void> {
    const port = `port${index + 1}`;
    await quietNamespace(host.netnsName);
    await ipBatch(host.netnsName, [
      'link set lo up',
      `link add eth0 mtu ${mtuBytes} address ${macAddress(index)} type veth peer name ${port} mtu ${mtuBytes} netns ${switchName}`,
      'link set eth0 addrgenmode none',
      `address add ${host.ipv4}/24 dev eth0`,
      `address add ${host.ipv6}/64 dev eth0 nodad`,
    ]);
    await expectCommand('ip', ['-n', switchName, 'link', 'set', port, 'addrgenmode', 'none', 'master', 'br0', 'up']);
    // The switch knows every port from the start: nothing is flooded to hosts that it is not for.
    await expectCommand('bridge', [
      '-n',
      switchName,
      'fdb',
      'replace',
      macAddress(index),
      'dev',
      port,
      'master',
      'static',
    ]);
    if (wire === 'segments') {
      await expectCommand('ip', ['netns', 'exec', host.netnsName, 'ethtool', '-K', 'eth0', 'tx', 'off', 'gro', 'on']);
    }
    await ipBatch(host.netnsName, ['link set eth0 up', ...this.#neighbours(index)]);
  }

  /** Every other host, so that no address has to be looked up while something is measured. */
  #neighbours(index: number): string[] {
    return this.hosts.flatMap((other, at) =>
      at === index
        ? []
        : [other.ipv4, other.ipv6].map(
            (address) => `neighbour replace ${address} lladdr ${macAddress(at)} dev eth0 nud permanent`,
          ),
    );
  }
}

function macAddress(index: number): string {
  return `02:00:00:00:77:${(index + 1).toString(16).padStart(2, '0')}`;
}

/** intercept's: an outgoing connection that the kernel gave this port would keep intercept from listening, in TIME-WAIT too. */
const RESERVED_PORT = 36_524;

/** No router, no address detection, no iptables on bridged packets. */
async function quietNamespace(netns: string): Promise<void> {
  const settings = ['net.ipv4.ip_forward=0', 'net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.default.rp_filter=0'];
  settings.push(`net.ipv4.ip_local_reserved_ports=${RESERVED_PORT}`);
  for (const scope of ['all', 'default']) {
    settings.push(`net.ipv6.conf.${scope}.disable_ipv6=0`);
    settings.push(`net.ipv6.conf.${scope}.accept_dad=0`, `net.ipv6.conf.${scope}.accept_ra=0`);
    settings.push(`net.ipv6.conf.${scope}.router_solicitations=0`);
  }
  for (const hook of ['iptables', 'ip6tables', 'arptables']) settings.push(`net.bridge.bridge-nf-call-${hook}=0`);
  // -e: a kernel without br_netfilter has no such settings, and needs none.
  await expectCommand('ip', ['netns', 'exec', netns, 'sysctl', '-q', '-e', '-w', ...settings]);
}

async function ipBatch(netns: string, lines: readonly string[]): Promise<void> {
  await expectCommand('ip', ['-n', netns, '-batch', '-'], { input: `${lines.join('\n')}\n` });
}

/** However this process ends, short of SIGKILL, its labs go with it; after SIGKILL the next lab's reaper does it. */
function hookEnds(): void {
  if (isHooked) return;
  isHooked = true;
  process.once('exit', () => Lab.destroyAll());
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1],
  ] as const) {
    process.once(signal, () => process.exit(128 + number));
  }
}
