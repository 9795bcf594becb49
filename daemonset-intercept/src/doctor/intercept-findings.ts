/** What `trafficcopy doctor intercept` looks at on the host of the target. Whatever must be tried is tried in a network namespace of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatIpAddress, type IpAddress } from '@trafficcopy/core';
import {
  capabilityFindings,
  type Finding,
  fail,
  firewallFindings,
  type HostAccess,
  hasCapability,
  memoryFinding,
  pass,
  routeFinding,
  skip,
  warn,
} from '@trafficcopy/runtime';
import type { InterceptConfig } from '../config.js';
import { QUEUE_NUMBER_BASE } from '../rules/worker-slot.js';
import { isBoundByUdp, udpClientsFindings } from './udp-findings.js';

const PROGRAM_BYTES = 100 * 1024 * 1024;
const CHANNEL_PORT = 36524;
const SCRATCH_PROGRAM = fileURLToPath(new URL('./scratch-namespace.js', import.meta.url));

const SYSCTLS = ['net/ipv4/tcp_fwmark_accept', 'net/ipv4/fwmark_reflect'] as const;

export interface InterceptQuestion {
  /** What would be run; undefined: as without flags. */
  readonly config: Pick<InterceptConfig, 'port' | 'bindAddress' | 'queueNumber' | 'targets' | 'udpClients'> | undefined;
  readonly host: HostAccess;
  /** Addresses of clients that will be copied. */
  readonly clients: readonly IpAddress[];
}

const WITHOUT_FLAGS: NonNullable<InterceptQuestion['config']> = {
  port: CHANNEL_PORT,
  bindAddress: undefined,
  queueNumber: undefined,
  targets: [],
  udpClients: [],
};

export async function interceptFindings(question: InterceptQuestion): Promise<Finding[]> {
  const { config = WITHOUT_FLAGS, host, clients } = question;
  return [
    ...capabilityFindings(host, {
      CAP_NET_ADMIN: 'rules, settings, the NFQUEUE and packet marks',
      CAP_NET_RAW: 'raw sockets',
    }),
    ...(await commandFindings(host)),
    ...sysctlFindings(host),
    ...(await scratchFindings(host)),
    queueNumberFinding(host, config.queueNumber),
    await portFinding(config),
    ...(await routeFindings(host, clients)),
    ...(await udpClientsFindings(host, config.udpClients)),
    ...reversePathFindings(host),
    ...(await firewallFindings(host, 'INPUT')),
    ...targetFindings(host, config),
    memoryFinding(host, PROGRAM_BYTES, PROGRAM_BYTES),
  ];
}

async function commandFindings(host: HostAccess): Promise<Finding[]> {
  const findings: Finding[] = [];
  if ((await host.run('ip', ['-V'])) === undefined) {
    findings.push(fail('ip is not installed', 'apt-get install iproute2, or what your system calls it'));
  }
  if ((await host.run('ss', ['-V'])) === undefined) {
    findings.push(
      warn(
        'ss is not installed: copied connections stay at the target when intercept ends',
        'apt-get install iproute2',
      ),
    );
  }
  if ((await host.run('nft', ['--version'])) === undefined) {
    findings.push(warn('nft is not installed: empty tables stay when intercept ends', 'apt-get install nftables'));
  }
  return findings;
}

function sysctlFindings(host: HostAccess): Finding[] {
  const missing = SYSCTLS.filter((name) => host.read(`/proc/sys/${name}`) === undefined);
  if (missing.length === 0) return [pass('the settings tcp_fwmark_accept and fwmark_reflect are there')];
  return missing.map((name) =>
    fail(`this kernel has no setting ${name.replaceAll('/', '.')}`, 'use Linux 3.15 or newer'),
  );
}

/** In a network namespace of its own: what the kernel, iptables and the modules can do is the same there. */
async function scratchFindings(host: HostAccess): Promise<Finding[]> {
  const missing = (['CAP_SYS_ADMIN', 'CAP_NET_ADMIN', 'CAP_NET_RAW'] as const).filter(
    (name) => !hasCapability(host, name),
  );
  if (missing.length > 0) {
    return [skip(`iptables rules and NFQUEUE were not tried: that needs ${missing.join(', ')}`, 'run doctor as root')];
  }
  const probe = await host.run('unshare', ['--net', 'true']);
  if (probe?.status !== 0) {
    const reason = probe === undefined ? 'there is no unshare (package util-linux)' : probe.stderr.trim();
    return [
      skip(
        `iptables rules and NFQUEUE were not tried: no network namespace can be made, ${reason}`,
        'run doctor on the host itself',
      ),
    ];
  }
  const directory = mkdtempSync(join(tmpdir(), 'trafficcopy-doctor-'));
  try {
    // iptables' lock is a file outside of the namespace.
    const lock = `XTABLES_LOCKFILE=${join(directory, 'xtables.lock')}`;
    const answer = await host.run('env', [lock, 'unshare', '--net', process.execPath, SCRATCH_PROGRAM, directory]);
    if (answer?.status === 0) return JSON.parse(answer.stdout) as Finding[];
    const reason = answer?.stderr.trim().split('\n').at(-1) ?? '';
    return [fail(`iptables rules and NFQUEUE could not be tried: ${reason}`, 'report this')];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The first column of the kernel's table is the number of each queue that somebody reads. */
function queueNumberFinding(host: HostAccess, wanted: number | undefined): Finding {
  const table = host.read('/proc/net/netfilter/nfnetlink_queue');
  if (table === undefined) {
    return skip(
      'which NFQUEUE numbers are in use is not known: the module is not loaded, or it may not be read',
      'run doctor as root; modprobe nfnetlink_queue',
    );
  }
  const used = table.split('\n').flatMap((line) => (line.trim() === '' ? [] : [Number(line.trim().split(/\s+/)[0])]));
  const number = wanted ?? QUEUE_NUMBER_BASE;
  if (!used.includes(number)) return pass(`NFQUEUE ${number} is free`);
  if (wanted === undefined) return pass(`NFQUEUE ${number} is read by another program; intercept takes the next one`);
  return fail(`NFQUEUE ${number} is read by another program`, 'name another one with --queue-num, or leave it out');
}

function portFinding({ port, bindAddress }: Pick<InterceptConfig, 'port' | 'bindAddress'>): Promise<Finding> {
  const host = bindAddress === undefined ? undefined : formatIpAddress(bindAddress);
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason = error.code === 'EADDRINUSE' ? 'another program listens there, maybe an intercept' : error.message;
      resolve(warn(`port ${port} cannot be listened on: ${reason}`, 'stop that program, or name another port with -p'));
    });
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
      server.close(() => resolve(pass(`port ${port} is free`)));
    });
  });
}

/** Answers never leave, but the kernel makes none where it has no route. Without a default route intercept brings one for copied packets. */
async function routeFindings(host: HostAccess, clients: readonly IpAddress[]): Promise<Finding[]> {
  const answer = await host.run('ip', ['route', 'show', 'default']);
  const hasDefault = answer?.status === 0 && answer.stdout.trim() !== '';
  if (clients.length === 0) {
    if (answer === undefined) return [];
    return [
      pass(
        hasDefault
          ? 'there is a default route: answers to any client can be made'
          : 'there is no default route: intercept brings one for copied connections',
      ),
    ];
  }
  const findings: Finding[] = [];
  for (const client of clients) {
    const finding = await routeFinding(host, formatIpAddress(client));
    const isBrought = finding.verdict === 'fail' && !hasDefault && /unreachable$/.test(finding.text);
    findings.push(
      isBrought ? pass(`no route to ${formatIpAddress(client)}: intercept brings one for copied connections`) : finding,
    );
  }
  return findings;
}

/** The larger of `all` and the device's own value holds (Documentation/networking/ip-sysctl). */
function reversePathFindings(host: HostAccess): Finding[] {
  const all = Number(host.read('/proc/sys/net/ipv4/conf/all/rp_filter') ?? 0);
  const devices = (host.read('/proc/net/dev') ?? '').match(/^\s*[^\s:]+(?=:)/gm) ?? [];
  const strict = devices
    .map((name) => name.trim())
    .filter((name) => name !== 'lo')
    .filter((name) => Math.max(all, Number(host.read(`/proc/sys/net/ipv4/conf/${name}/rp_filter`) ?? 0)) === 1);
  if (strict.length === 0) return [pass('rp_filter lets packets of delivery direct in')];
  return [
    warn(
      `rp_filter is strict (${strict.join(', ')}): packets of delivery direct are dropped in silence where clients are reached by another device`,
      'sysctl net.ipv4.conf.all.rp_filter=2, with net.ipv4.conf.all.src_valid_mark=1 where there is no default route; or copy with --delivery tunnel',
    ),
  ];
}

function targetFindings(
  host: HostAccess,
  { targets, udpClients }: Pick<InterceptConfig, 'targets' | 'udpClients'>,
): Finding[] {
  const ports = new Set(targets.flatMap(({ port }) => port ?? []));
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].map((path) => host.read(path) ?? '').join('\n');
  return [...ports].map((port) => {
    const hex = port.toString(16).toUpperCase().padStart(4, '0');
    const isThere = new RegExp(`^\\s*\\d+: [0-9A-F]+:${hex} [0-9A-F]+:0000 0A `, 'm').test(tables);
    if (isThere) return pass(`the target listens on port ${port}`);
    if (udpClients.length > 0 && isBoundByUdp(host, port)) return pass(`the target listens on UDP port ${port}`);
    return fail(`nothing listens on port ${port} of this host`, 'start the target, or name its port with --target');
  });
}
