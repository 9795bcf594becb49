/** What both programs need of their host. Each is a function of what was read there. */
import { type Finding, fail, pass, skip, warn } from './finding.js';
import type { HostAccess } from './host-access.js';

const NODE_MAJOR_MIN = 24;
/** tcp_fwmark_accept and fwmark_reflect; TPACKET_V3 is older. */
const KERNEL_MIN = [3, 15] as const;
const OPEN_FILES_MIN = 1024;
const MB = 1024 * 1024;

/** Bits of linux/capability.h. */
const CAPABILITY_BITS = { CAP_NET_ADMIN: 12n, CAP_NET_RAW: 13n, CAP_SYS_ADMIN: 21n } as const;
export type CapabilityName = keyof typeof CAPABILITY_BITS;

export function nodeFinding(version: string): Finding {
  const major = Number(/^v?(\d+)/.exec(version)?.[1] ?? 0);
  if (major >= NODE_MAJOR_MIN) return pass(`Node.js ${version}`);
  return fail(
    `Node.js ${version}: ${NODE_MAJOR_MIN} or newer is needed`,
    '"make" in the checkout brings one, or install it',
  );
}

export function kernelFinding(release: string | undefined): Finding {
  const match = /^(\d+)\.(\d+)/.exec(release ?? '');
  const text = `Linux ${release?.trim() ?? '?'}`;
  if (match === null) return skip(`the version of the kernel is not known (${text})`, 'mount /proc');
  const [major, minor] = [Number(match[1]), Number(match[2])];
  const isOld = major < KERNEL_MIN[0] || (major === KERNEL_MIN[0] && minor < KERNEL_MIN[1]);
  if (!isOld) return pass(text);
  return fail(`${text}: ${KERNEL_MIN.join('.')} or newer is needed`, 'boot a newer kernel');
}

/** @param reasons what each is needed for */
export function capabilityFindings(
  host: HostAccess,
  reasons: Partial<Readonly<Record<CapabilityName, string>>>,
): Finding[] {
  const field = /^CapEff:\s*([0-9a-f]+)$/m.exec(host.read('/proc/self/status') ?? '')?.[1];
  if (field === undefined) return [skip('the capabilities of this process are not known', 'mount /proc')];
  const effective = BigInt(`0x${field}`);
  return Object.entries(reasons).map(([name, reason]) => {
    if ((effective & (1n << CAPABILITY_BITS[name as CapabilityName])) !== 0n) return pass(`${name} (${reason})`);
    const fix = `run it as root, or grant it: AmbientCapabilities=${name} in a unit, securityContext.capabilities.add in a container`;
    return fail(`no ${name} (${reason})`, fix);
  });
}

export function hasCapability(host: HostAccess, name: CapabilityName): boolean {
  return capabilityFindings(host, { [name]: '' }).every(({ verdict }) => verdict === 'pass');
}

export function openFilesFinding(limits: string | undefined): Finding {
  const soft = /^Max open files\s+(\S+)/m.exec(limits ?? '')?.[1];
  if (soft === undefined) return skip('the limit of open files is not known', 'mount /proc');
  if (soft === 'unlimited' || Number(soft) >= OPEN_FILES_MIN) return pass(`${soft} open files are allowed`);
  return warn(`only ${soft} open files are allowed: each channel takes one`, `ulimit -n ${OPEN_FILES_MIN}`);
}

/** @param needBytes without it nothing works; @param wantBytes what it may take at its limits */
export function memoryFinding(host: HostAccess, needBytes: number, wantBytes: number): Finding {
  const kb = /^MemAvailable:\s+(\d+) kB$/m.exec(host.read('/proc/meminfo') ?? '')?.[1];
  if (kb === undefined) return skip('the free memory is not known', 'mount /proc');
  const limit = Number(host.read('/sys/fs/cgroup/memory.max') ?? Number.NaN);
  const used = Number(host.read('/sys/fs/cgroup/memory.current') ?? 0);
  const free = Math.min(Number(kb) * 1024, Number.isNaN(limit) ? Number.POSITIVE_INFINITY : limit - used);
  const text = `${Math.floor(free / MB)} MiB of memory are free`;
  const fix = 'give it more, or less of it to -B/--capture-buffer and --max-held';
  if (free < needBytes) return fail(`${text}, about ${Math.ceil(needBytes / MB)} are needed`, fix);
  if (free < wantBytes) return warn(`${text}, up to ${Math.ceil(wantBytes / MB)} can be taken`, fix);
  return pass(text);
}

/** Certificates have times: clocks that differ by hours keep the channel down. */
export async function clockFinding(host: HostAccess): Promise<Finding> {
  const systemd = await host.run('timedatectl', ['show', '--property=NTPSynchronized', '--value']);
  const chrony = systemd?.status === 0 ? undefined : await host.run('chronyc', ['-n', 'tracking']);
  const isKnown = systemd?.status === 0 || chrony?.status === 0;
  const time = new Date().toISOString().slice(0, 19);
  if (!isKnown) {
    return skip(
      `the clock says ${time}Z; nobody here knows whether it is synchronised`,
      'compare it with the other host, or install chrony',
    );
  }
  const isSynchronised =
    systemd?.status === 0 ? systemd.stdout.trim() === 'yes' : /^Leap status\s*:\s*Normal$/m.test(chrony?.stdout ?? '');
  if (isSynchronised) return pass(`the clock is synchronised (${time}Z)`);
  return warn(
    `the clock is not synchronised (${time}Z): certificates have times`,
    'timedatectl set-ntp true, or compare it with the other host',
  );
}

/** What the route to an address is; the addresses are those that answers or copied packets go to. */
export async function routeFinding(host: HostAccess, address: string): Promise<Finding> {
  const answer = await host.run('ip', ['route', 'get', address]);
  if (answer === undefined) return skip(`the route to ${address} is not known`, 'install iproute2');
  const [line = ''] = answer.stdout.trim().split('\n');
  if (answer.status === 0 && !/^(unreachable|blackhole|prohibit) /.test(line)) {
    const device = / dev (\S+)/.exec(line)?.[1];
    return pass(`route to ${address}${device === undefined ? '' : ` by ${device}`}`);
  }
  const reason = answer.stderr.trim().replace(/^RTNETLINK answers: /, '') || line;
  return fail(`no route to ${address}: ${reason}`, `ip route add ${address} via GATEWAY`);
}
