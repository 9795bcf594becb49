import { type Credentials, MYSQL, POSTGRESQL, type Protocol, REDIS } from '@trafficcopy/core';

/** Protocols whose logins can be rewritten, by the name that the file of --credentials has for them. */
export const PROTOCOLS = { mysql: MYSQL, postgresql: POSTGRESQL, redis: REDIS } as const satisfies Readonly<
  Record<string, Protocol>
>;
export type ProtocolName = keyof typeof PROTOCOLS;
export const PROTOCOL_NAMES = Object.keys(PROTOCOLS) as readonly ProtocolName[];

/** Who logs in at the targets in the place of the clients of one online port. Secret. */
export interface PortLogins {
  readonly protocol: ProtocolName;
  readonly port: number;
  readonly credentials: Credentials;
}

/** The ports whose protocol is another one in `now`, or is in one of both alone. */
export function otherProtocols(before: readonly PortLogins[], now: readonly PortLogins[]): ReadonlySet<number> {
  const protocolsOf = (logins: readonly PortLogins[]): Map<number, ProtocolName> =>
    new Map(logins.map(({ port, protocol }) => [port, protocol]));
  const [old, fresh] = [protocolsOf(before), protocolsOf(now)];
  return new Set([...old.keys(), ...fresh.keys()].filter((port) => old.get(port) !== fresh.get(port)));
}
