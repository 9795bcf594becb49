/** What `trafficcopy doctor intercept` looks at where datagrams are taken (--udp-clients). */
import { type AddressRange, formatIpAddress } from '@trafficcopy/core';
import { type Finding, fail, type HostAccess, pass, routeFinding, warn } from '@trafficcopy/runtime';
import { refuseLocalClients } from '../config/udp-clients.js';
import { formatRange } from '../rules/wire-rules.js';
import { parseAddressLines } from '../targets/local-addresses.js';

/** The host has no address of the ranges, and has routes to them. */
export async function udpClientsFindings(host: HostAccess, udpClients: readonly AddressRange[]): Promise<Finding[]> {
  if (udpClients.length === 0) return [];
  const shown = await host.run('ip', ['-o', 'address', 'show']);
  const local = localFinding(udpClients, parseAddressLines(shown?.stdout ?? ''));
  const findings = [local];
  for (const clients of udpClients) {
    const route = await routeFinding(host, formatIpAddress(clients.address));
    if (route.verdict !== 'fail') continue;
    const range = formatRange(clients);
    findings.push(
      warn(
        `no route to --udp-clients ${range}: the target's program is told that when it answers, and may log it; nothing leaves either way`,
        `ip route add ${range} dev lo`,
      ),
    );
  }
  return findings;
}

function localFinding(udpClients: readonly AddressRange[], local: readonly string[]): Finding {
  try {
    refuseLocalClients(udpClients, local);
    return pass('this host has no address of --udp-clients');
  } catch (error) {
    return fail((error as Error).message, 'choose another range');
  }
}

/** Whether a UDP socket without a peer is bound to the port. */
export function isBoundByUdp(host: HostAccess, port: number): boolean {
  const tables = ['/proc/net/udp', '/proc/net/udp6'].map((path) => host.read(path) ?? '').join('\n');
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return new RegExp(`^\\s*\\d+: [0-9A-F]+:${hex} [0-9A-F]+:0000 07 `, 'm').test(tables);
}
