import type { NamespaceAccess } from './namespace-access.js';
import { RulesError } from './rules-error.js';

/** A socket takes the mark of the SYN that opened it, IPv4 and IPv6. */
const TCP_FWMARK_ACCEPT = '/proc/sys/net/ipv4/tcp_fwmark_accept';
/** Packets without a socket (RST, ICMP) take the mark of what they answer. */
const FWMARK_REFLECT_V4 = '/proc/sys/net/ipv4/fwmark_reflect';
const FWMARK_REFLECT_V6 = '/proc/sys/net/ipv6/fwmark_reflect';
const WANTED = '1';

/** Whether the namespace has IPv6 at all. */
export async function namespaceHasIpv6(access: NamespaceAccess): Promise<boolean> {
  return (await access.read(FWMARK_REFLECT_V6)) !== undefined;
}

/** The settings that make marks stick to copied connections, as they are now: paths below /proc/sys and values. */
export async function readMarkSysctls(access: NamespaceAccess, hasIpv6: boolean): Promise<Record<string, string>> {
  const values: Record<string, string> = {};
  for (const path of [TCP_FWMARK_ACCEPT, FWMARK_REFLECT_V4, ...(hasIpv6 ? [FWMARK_REFLECT_V6] : [])]) {
    const value = await access.read(path);
    if (value === undefined) {
      throw new RulesError(
        'ERR_RULES_UNSUPPORTED',
        `this kernel has no ${path}: responses of copied connections could not be told from others (Linux 3.15 or newer has it)`,
      );
    }
    values[path] = value.trim();
  }
  return values;
}

/** Sets them; only what is not set already. */
export async function setMarkSysctls(access: NamespaceAccess, found: Readonly<Record<string, string>>): Promise<void> {
  for (const path of Object.keys(found)) await change(access, path, WANTED);
}

/** Puts `found` back, but where somebody else changed the value meanwhile: returns the paths of those. */
export async function restoreMarkSysctls(
  access: NamespaceAccess,
  found: Readonly<Record<string, string>>,
): Promise<string[]> {
  const changedByOthers: string[] = [];
  for (const [path, value] of Object.entries(found)) {
    const now = (await access.read(path))?.trim();
    if (now === WANTED) await change(access, path, value);
    else if (now !== undefined && now !== value) changedByOthers.push(path);
  }
  return changedByOthers;
}

async function change(access: NamespaceAccess, path: string, value: string): Promise<void> {
  if ((await access.read(path))?.trim() !== value) await access.write(path, value);
}
