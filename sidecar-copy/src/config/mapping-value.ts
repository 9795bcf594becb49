import { formatIpAddress, type IpAddress, parseIpAddress } from '@trafficcopy/core';
import { ValueProblem, type ValueType } from '@trafficcopy/runtime';

/** One item of -x: an online port and the targets that get a copy of what arrives there. */
export interface MappingText {
  /** Undefined: any address of this host. */
  readonly onlineAddress: IpAddress | undefined;
  readonly onlinePort: number;
  readonly targets: readonly { readonly address: IpAddress; readonly port: number }[];
}

const ENDPOINT = String.raw`(?:(\[[^\]]*\]|[^:[\]+-]*):)?(\d{1,5})`;
const ONLINE = new RegExp(`^${ENDPOINT}$`);
const TARGET = new RegExp(`^${ENDPOINT}$`);

/** `[ip:]port-ip:port[+ip:port]…`, IPv6 addresses in brackets. */
export const mappingValue: ValueType<MappingText> = {
  expected:
    '[ONLINE-IP:]PORT-TARGET-IP:PORT, like 80-10.16.12.11:8080 or [fd00::1]:80-[fd00::11]:80; + adds a second target',
  parse(text: string): MappingText {
    const dash = text.indexOf('-');
    if (dash < 0) throw new ValueProblem('there is no "-" between the online and the target side');
    const online = ONLINE.exec(text.slice(0, dash));
    if (online === null) throw new ValueProblem(`"${text.slice(0, dash)}" is no [ip:]port`);
    const onlineAddress = online[1] === undefined ? undefined : parseAddress(online[1]);
    const onlinePort = parsePort(online[2]!);
    const targets = text
      .slice(dash + 1)
      .split('+')
      .map(parseTarget);
    return { onlineAddress, onlinePort, targets };
  },
};

/** `ip:port`, with brackets around IPv6. */
export function formatEndpoint(address: IpAddress, port: number): string {
  const text = formatIpAddress(address);
  return address.length === 16 ? `[${text}]:${port}` : `${text}:${port}`;
}

function parseTarget(text: string): { address: IpAddress; port: number } {
  const match = TARGET.exec(text);
  if (match === null) {
    if (parseIpAddress(text)?.length === 16) throw new ValueProblem('an IPv6 address stands in brackets: [fd00::1]:80');
    const isBareAddress = parseIpAddress(text.replace(/^\[(.*)\]$/, '$1')) !== undefined;
    throw new ValueProblem(isBareAddress ? `the port of the target ${text} is missing` : `"${text}" is no ip:port`);
  }
  if (match[1] === undefined || match[1] === '') {
    throw new ValueProblem(`the IP address of the target with port ${match[2]} is missing`);
  }
  return { address: parseAddress(match[1]), port: parsePort(match[2]!) };
}

function parseAddress(text: string): IpAddress {
  const bare = text.startsWith('[') ? text.slice(1, -1) : text;
  const address = parseIpAddress(bare);
  if (address === undefined || (address.length === 16) !== text.startsWith('[')) {
    throw new ValueProblem(`"${bare}" is no IP address (host names are not looked up here)`);
  }
  // Unspecified; multicast, reserved and broadcast (RFC 6890).
  const isGroup = address.length === 4 ? address[0]! >= 224 : address[0] === 0xff;
  if (isGroup || address.every((octet) => octet === 0)) throw new ValueProblem(`${bare} is no address of a host`);
  return address;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (port < 1 || port > 65535) throw new ValueProblem(`${text} is no port: ports are from 1 to 65535`);
  return port;
}
