import { formatIpAddress, type IpAddress } from '@trafficcopy/core';

/** A server whose arriving packets are to be captured. */
export interface OnlineEndpoint {
  /** Undefined: every address of this host. */
  readonly address?: IpAddress | undefined;
  readonly port: number;
  /** Octets of an address of the IP version that is wanted: 4 or 16. */
  readonly addressBytes: number;
}

export interface CaptureFilterOptions {
  /** Default: TCP. */
  readonly transport?: 'tcp' | 'udp' | undefined;
  readonly online: readonly OnlineEndpoint[];
  /**
   * The addresses of this host, for endpoints without one: packets that it only forwards are not its traffic. Empty or
   * more than {@link LOCAL_ADDRESSES_MAX}: any destination address is taken.
   */
  readonly localAddresses: readonly IpAddress[];
  /** Targets: what goes to one of them is our own work and never captured, so that no copy is copied again. */
  readonly targets: readonly { readonly address: IpAddress; readonly port: number }[];
  /** Whether packets of clients on 127.0.0.0/8 and ::1 are wanted (-c gives them an address that a target can answer). */
  readonly loopbackClients: boolean;
  /**
   * Only clients on this host: on 127.0.0.0/8, ::1 and `localAddresses`. What else comes over the loopback with other addresses was
   * injected there by an intercept: copies of somebody else.
   */
  readonly ownClientsOnly?: boolean | undefined;
  /**
   * Whether packets towards targets have addresses of this host (-c), so that routers tell it when they are too big (RFC 1191, RFC
   * 4443 3.2).
   */
  readonly isSender?: boolean | undefined;
  /** Whether what the online endpoints send to their clients is wanted as well (--compare). */
  readonly seesAnswers?: boolean | undefined;
  /** A condition of the user (-F), in addition. It does not hold for what routers say, and for answers. */
  readonly condition?: string | undefined;
}

/** Beyond this the filter would come near the kernel's limit of 4096 instructions. */
export const LOCAL_ADDRESSES_MAX = 64;

/**
 * IPv6 extension headers before the transport's: `tcp` of a filter sees only a header that follows directly (RFC 8200 4.1), and the
 * kernel's filters know no loops. What starts a chain is taken and the engine looks at its end: hop-by-hop options,
 * routing, authentication, destination options; and of UDP fragments, which are counted. (IPv4's are known by the filter: the first one has
 * the port.)
 */
const IPV6_CHAIN = {
  tcp: '(ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 51 or ip6[6] = 60)',
  udp: '(ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 44 or ip6[6] = 51 or ip6[6] = 60)',
} as const;

/** «Fragmentation needed» and «packet too big»: type and code, in packets without IP options and extension headers. */
const TOO_BIG = '(icmp[0:2] = 0x0304) or (ip6[6] = 58 and ip6[40:2] = 0x0200)';

/**
 * The libpcap expression, on packets that start with their IP header, for everything that clients send to the online
 * endpoints. Pure: the same options give the same text.
 */
export function captureFilter(options: CaptureFilterOptions): string {
  const local = options.localAddresses.length > LOCAL_ADDRESSES_MAX ? [] : options.localAddresses;
  const families = ([4, 16] as const)
    .map((addressBytes) => familyFilter(options, local, addressBytes))
    .filter((part) => part !== undefined);
  const arriving = anyOf(families);
  const wanted = options.condition === undefined ? arriving : `${arriving} and (${options.condition})`;
  const others = [
    ...(options.isSender === true ? [TOO_BIG] : []),
    ...(options.seesAnswers === true ? answerFilters(options, local) : []),
  ];
  return others.length === 0 ? wanted : [`(${wanted})`, ...others].join(' or ');
}

/** online --packets--> clients. Whose they are is known by the connections that are followed. */
function answerFilters(options: CaptureFilterOptions, local: readonly IpAddress[]): string[] {
  return ([4, 16] as const).flatMap((addressBytes) => {
    const clauses = endpointClauses(options, local, addressBytes, 'src');
    return clauses.length === 0 ? [] : [`(${addressBytes === 4 ? 'ip' : 'ip6'} and ${anyOf(clauses)})`];
  });
}

function familyFilter(
  options: CaptureFilterOptions,
  local: readonly IpAddress[],
  addressBytes: 4 | 16,
): string | undefined {
  const clauses = endpointClauses(options, local, addressBytes, 'dst');
  if (clauses.length === 0) return undefined;
  const parts = [addressBytes === 4 ? 'ip' : 'ip6', anyOf(clauses)];
  if (options.ownClientsOnly === true) parts.push(ownClientsClause(local, addressBytes));
  else if (!options.loopbackClients) parts.push(addressBytes === 4 ? 'not src net 127.0.0.0/8' : 'not src host ::1');
  for (const target of options.targets) {
    if (target.address.length !== addressBytes) continue;
    parts.push(
      `not (dst host ${formatIpAddress(target.address)} and ${options.transport ?? 'tcp'} dst port ${target.port})`,
    );
  }
  return `(${parts.join(' and ')})`;
}

/** One for each endpoint whose packets can be told: those that it gets (`dst`) or sends (`src`). */
function endpointClauses(
  { online, transport = 'tcp' }: CaptureFilterOptions,
  local: readonly IpAddress[],
  addressBytes: 4 | 16,
  side: 'dst' | 'src',
): string[] {
  const clauses = new Set<string>();
  for (const { address, port, addressBytes: wantedBytes } of online) {
    if (wantedBytes !== addressBytes) continue;
    if (address !== undefined) {
      clauses.add(endpointClause(transport, [address], port, addressBytes, side));
      continue;
    }
    const own = local.filter((one) => one.length === addressBytes);
    if (own.length > 0 || local.length === 0) clauses.add(endpointClause(transport, own, port, addressBytes, side));
  }
  return [...clauses];
}

function ownClientsClause(local: readonly IpAddress[], addressBytes: 4 | 16): string {
  const own = local
    .filter((one) => one.length === addressBytes && !isLoopback(one))
    .map((one) => `src host ${formatIpAddress(one)}`);
  return anyOf([addressBytes === 4 ? 'src net 127.0.0.0/8' : 'src host ::1', ...own]);
}

function isLoopback(address: IpAddress): boolean {
  return address.length === 4 ? address[0] === 127 : formatIpAddress(address) === '::1';
}

function endpointClause(
  transport: 'tcp' | 'udp',
  addresses: readonly IpAddress[],
  port: number,
  addressBytes: 4 | 16,
  side: 'dst' | 'src',
): string {
  const atPort = `${transport} ${side} port ${port}`;
  const onPort = addressBytes === 4 ? atPort : `(${atPort} or ${IPV6_CHAIN[transport]})`;
  if (addresses.length === 0) return `(${onPort})`;
  return `(${onPort} and ${anyOf(addresses.map((address) => `${side} host ${formatIpAddress(address)}`))})`;
}

function anyOf(parts: readonly string[]): string {
  return parts.length === 1 ? parts[0]! : `(${parts.join(' or ')})`;
}
