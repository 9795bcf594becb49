import type { LabHost } from '@trafficcopy/lab';

const COMMANDS = [
  ['iptables-save'],
  ['ip6tables-save'],
  ['iptables-legacy-save'],
  ['ip6tables-legacy-save'],
  ['nft', 'list', 'ruleset'],
  ['ip', 'rule'],
  ['ip', '-6', 'rule'],
  ['ip', 'route', 'show', 'table', 'all'],
  ['ip', '-6', 'route', 'show', 'table', 'all'],
  [
    'sysctl',
    '-a',
    '-r',
    '^net\\.ipv[46]\\.(tcp_|fwmark|conf\\.[a-z0-9]+\\.(rp_filter|src_valid_mark|route_localnet|accept_local))',
  ],
] as const;

/** Everything of a namespace that an intercept changes or could: rules, routes, settings. Without comments and counters. */
export async function dumpNamespace(host: LabHost): Promise<string> {
  const parts: string[] = [];
  for (const [command, ...args] of COMMANDS) {
    const { stdout } = await host.run(command, args);
    const lines = stdout.split('\n').filter((line) => !line.startsWith('#'));
    parts.push(`$ ${[command, ...args].join(' ')}\n${withoutCounters(lines.join('\n'))}`);
  }
  return parts.join('\n');
}

/** As iptables and nft print them. */
function withoutCounters(text: string): string {
  return text.replaceAll(/\[\d+:\d+\]/g, '[0:0]').replaceAll(/counter packets \d+ bytes \d+/g, 'counter');
}
