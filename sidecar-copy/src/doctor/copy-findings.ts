/** What `trafficcopy doctor copy` looks at on the host of online. Nothing is changed, and no packet is sent but those of a TCP connect. */
import { accessSync, constants } from 'node:fs';
import net from 'node:net';
import { formatIpAddress, type IpAddress } from '@trafficcopy/core';
import {
  CredentialStore,
  capabilityFindings,
  channelFinding,
  type Finding,
  fail,
  firewallFindings,
  type HostAccess,
  memoryFinding,
  pass,
  routeFinding,
  skip,
  warn,
} from '@trafficcopy/runtime';
import { capturePlan } from '../capture/capture-plan.js';
import { localNetwork } from '../capture/local-network.js';
import { hostPlan } from '../config/host-plan.js';
import type { CopyConfig } from '../config.js';
import type { CopyEdges } from '../copy-edges.js';
import { listens } from './listening-ports.js';
import { offloadFindings } from './offload-findings.js';

const MB = 1024 * 1024;
/** Of the program itself, without what it captures and holds. */
const PROGRAM_BYTES = 100 * MB;
const CAPTURE_BUFFER_BYTES_DEFAULT = 64 * MB;
const CONNECT_TIMEOUT_MS = 3000;
/** The smallest ring: it is closed at once. */
const RING_BYTES = MB;

export interface CopyQuestion {
  /** What would be run; undefined: only what any copy needs is looked at. */
  readonly config: CopyConfig | undefined;
  readonly host: HostAccess;
  readonly edges: Pick<CopyEdges, 'openSource' | 'openSender'>;
  readonly nowMs: number;
}

export async function copyFindings(question: CopyQuestion): Promise<Finding[]> {
  const { config, host } = question;
  const isDirect = config?.delivery !== 'tunnel';
  const buffer = config?.captureBufferBytes ?? CAPTURE_BUFFER_BYTES_DEFAULT;
  const held = config?.limits.heldBytesMax ?? 0;
  const files = config?.offline?.files;
  const uses = [...(files === undefined ? ['capturing'] : []), ...(isDirect ? ['sending'] : [])];
  return [
    ...(uses.length === 0 ? [] : capabilityFindings(host, { CAP_NET_RAW: uses.join(' and ') })),
    ...(files === undefined ? [captureFinding(question)] : files.map(fileFinding)),
    ...(isDirect ? [senderFinding(question)] : []),
    memoryFinding(host, PROGRAM_BYTES + buffer, PROGRAM_BYTES + buffer + held),
    ...(files === undefined ? await offloadFindings(host, config?.interfaces ?? []) : []),
    ...(config?.delivery === 'direct' ? await firewallFindings(host, 'OUTPUT') : []),
    ...(config === undefined ? [] : await configFindings(config, question)),
  ];
}

async function configFindings(config: CopyConfig, { host, nowMs }: CopyQuestion): Promise<Finding[]> {
  const findings: Finding[] = [];
  const onlinePorts = config.offline === undefined ? config.mappings.map(({ onlinePort }) => onlinePort) : [];
  for (const port of new Set(onlinePorts)) {
    const where = `${config.udp ? 'UDP port' : 'port'} ${port} of this host`;
    const text = `online listens on ${where}`;
    const isThere = listens(host, port, config.udp ? 'udp' : 'tcp');
    if (isThere === undefined) findings.push(skip(`whether ${text} is not known`, 'mount /proc'));
    else if (isThere) findings.push(pass(text));
    else findings.push(warn(`nothing listens on ${where}`, 'start online, or name its port in -x'));
  }
  for (const { host: name, port } of config.lanes) {
    findings.push(
      await channelFinding({
        host: name,
        port,
        isInsecure: config.insecure,
        joinToken: config.joinToken,
        credentials: config.insecure ? undefined : await stored(config.stateDirectory, name, port),
        nowMs,
      }),
    );
  }
  for (const { address, port } of targetsOf(config)) {
    if (config.delivery === 'direct') findings.push(await routeFinding(host, formatIpAddress(address)));
    // A closed UDP port does not say so from afar; intercept's own doctor looks there.
    if (!config.udp) findings.push(await targetFinding(address, port, config.delivery));
  }
  return findings;
}

/** What cannot be read is told by the copy itself, with what to do. */
async function stored(directory: string, host: string, port: number): ReturnType<CredentialStore['load']> {
  try {
    return await new CredentialStore(directory, host, port).load();
  } catch {
    return undefined;
  }
}

function targetsOf(config: CopyConfig): { readonly address: IpAddress; readonly port: number }[] {
  const all = config.mappings.flatMap(({ targets }) => targets.flatMap(({ endpoints }) => endpoints));
  return [...new Map(all.map((one) => [`${formatIpAddress(one.address)} ${one.port}`, one])).values()];
}

/** What is in it shows when it is replayed. */
function fileFinding(file: string): Finding {
  if (file === '-') return pass('packets come from standard input');
  try {
    accessSync(file, constants.R_OK);
    return pass(`the capture file ${file} can be read`);
  } catch (error) {
    return fail(
      `the capture file ${file} cannot be read: ${(error as Error).message}`,
      'name another one with -i, or let this user read it',
    );
  }
}

function captureFinding({ config, edges }: CopyQuestion): Finding {
  const text = 'the kernel captures (AF_PACKET, TPACKET_V3)';
  try {
    const plan = config === undefined ? undefined : capturePlan(hostPlan(config), localNetwork());
    for (const interfaceName of plan?.interfaceNames ?? ['']) {
      const filter = plan?.filter ?? 'tcp';
      edges.openSource({ interfaceName, filter, bufferBytes: RING_BYTES }).close();
    }
    return pass(config?.interfaces.length ? `${text} on ${config.interfaces.join(', ')}` : text);
  } catch (error) {
    return openFailure(text, error);
  }
}

function senderFinding({ config, edges }: CopyQuestion): Finding {
  const text = 'raw sockets can be opened (delivery direct)';
  const versions = new Set(config?.mappings.map(({ ipVersion }) => ipVersion) ?? [4 as const]);
  try {
    for (const version of versions) edges.openSender(version).close();
    return pass(text);
  } catch (error) {
    return openFailure(text, error);
  }
}

/** Without the capability nobody knows what the kernel would say. */
function openFailure(text: string, error: unknown): Finding {
  const { code, message } = error as Error & { code?: unknown };
  if (code === 'ERR_NATIVE_PERMISSION')
    return skip(`whether ${text} was not tried: it needs CAP_NET_RAW`, 'run doctor as root');
  return fail(message, 'use another kernel or device, or load the module that is missing (af_packet)');
}

/** One plain connection, closed at once. In Tunnel delivery only intercept needs to reach the target. */
function targetFinding(address: IpAddress, port: number, delivery: CopyConfig['delivery']): Promise<Finding> {
  const host = formatIpAddress(address);
  const where = `the target ${host.includes(':') ? `[${host}]` : host}:${port}`;
  const start = 'start the target, or name its port in -x';
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, timeout: CONNECT_TIMEOUT_MS });
    const end = (finding: Finding): void => {
      socket.destroy();
      resolve(finding);
    };
    const away = (reason: string): Finding => {
      const text = `${where} cannot be connected to from here: ${reason}`;
      return delivery === 'direct'
        ? fail(text, start)
        : warn(text, `${start}; with --delivery tunnel it need not be reached from here`);
    };
    socket.once('connect', () => end(pass(`${where} listens`)));
    socket.once('timeout', () => end(away('no answer')));
    socket.once('error', (error: NodeJS.ErrnoException) => end(away(error.code ?? error.message)));
  });
}
