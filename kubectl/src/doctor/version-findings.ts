import { type Finding, fail, pass, warn } from '@trafficcopy/runtime';

/** Native sidecars are on from 1.29 (KEP-753), rules in CEL final (KEP-2876), ephemeral containers since 1.25. */
const MINOR_MIN = 29;
/** net.ipv4.tcp_fwmark_accept and fwmark_reflect are older; TPACKET_V3 and NFQUEUE's GSO flag as well. */
const KERNEL_MIN = [4, 14] as const;

export function versionFinding(version: string): Finding {
  const match = /^v?(\d+)\.(\d+)/.exec(version);
  const [major, minor] = [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)];
  if (major > 1 || (major === 1 && minor >= MINOR_MIN)) return pass(`Kubernetes ${version}`);
  return fail(`Kubernetes ${version} is too old: 1.${MINOR_MIN} is needed`, 'update the cluster');
}

export interface NodeFacts {
  readonly name: string;
  readonly kernelVersion: string;
  readonly operatingSystem: string;
  readonly architecture: string;
}

export function nodeFinding({ name, kernelVersion, operatingSystem, architecture }: NodeFacts): Finding {
  const what = `node ${name}: ${operatingSystem} ${architecture}, kernel ${kernelVersion}`;
  if (operatingSystem !== 'linux') return warn(what, 'its pods can be neither sources nor targets: Linux is needed');
  if (!['amd64', 'arm64'].includes(architecture))
    return warn(what, 'there are no images for it: amd64 and arm64 are built');
  const match = /^(\d+)\.(\d+)/.exec(kernelVersion);
  const [major, minor] = [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)];
  const isNewEnough = major > KERNEL_MIN[0] || (major === KERNEL_MIN[0] && minor >= KERNEL_MIN[1]);
  return isNewEnough ? pass(what) : fail(what, `a kernel of ${KERNEL_MIN.join('.')} or newer is needed`);
}
