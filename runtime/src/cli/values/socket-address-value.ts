import { parseIpAddress } from '@trafficcopy/core';
import { ValueProblem } from './value-problem.js';
import type { ValueType } from './value-type.js';

/** A host (name or address, IPv6 without brackets) and a TCP port. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

const HOST_NAME = /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?$/;

/**
 * `host:port`, `[ipv6]:port`. With `defaultHost` the forms `:port` and `port` are allowed, with `defaultPort` the forms
 * `host` and `[ipv6]`.
 */
export function socketAddressValue(
  expected: string,
  defaults: { readonly defaultHost?: string; readonly defaultPort?: number },
): ValueType<SocketAddress> {
  return {
    expected,
    parse(text: string): SocketAddress {
      const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(text);
      if (match === null) {
        throw new ValueProblem(
          parseIpAddress(text)?.length === 16 ? 'an IPv6 address stands in brackets: [fd00::1]' : '',
        );
      }
      const [, ipv6, name, portText] = match;
      if (ipv6 !== undefined && parseIpAddress(ipv6)?.length !== 16) {
        throw new ValueProblem(`"${ipv6}" is no IPv6 address`);
      }
      let host = ipv6 ?? name ?? '';
      let port = portText === undefined ? defaults.defaultPort : Number(portText);
      if (defaults.defaultHost !== undefined && ipv6 === undefined) {
        if (portText === undefined && /^\d{1,5}$/.test(host)) {
          port = Number(host);
          host = '';
        }
        if (host === '') host = defaults.defaultHost;
      }
      if (host === '') throw new ValueProblem('the host is missing');
      if (port === undefined) throw new ValueProblem('the port is missing');
      if (port < 1 || port > 65535) throw new ValueProblem(`${port} is no TCP port: ports are from 1 to 65535`);
      const looksLikeIpv4 = /^[\d.]+$/.test(host);
      if (ipv6 === undefined && (looksLikeIpv4 ? parseIpAddress(host) === undefined : !HOST_NAME.test(host))) {
        throw new ValueProblem(`"${host}" is neither an IPv4 address nor a host name`);
      }
      return { host, port };
    },
  };
}

/** `host:port`, with brackets around IPv6. */
export function formatSocketAddress(address: SocketAddress): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
