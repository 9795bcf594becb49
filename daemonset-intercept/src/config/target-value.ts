import { type IpAddress, parseIpAddress } from '@trafficcopy/core';
import { ValueProblem, type ValueType } from '@trafficcopy/runtime';

/** What intercept serves. Undefined: any address of its network namespace, any port. */
export interface ServedTarget {
  readonly address: IpAddress | undefined;
  readonly port: number | undefined;
}

/** `ip`, `ip:port`, `:port`, `port`; IPv6 in brackets where a port follows. */
export const targetValue: ValueType<ServedTarget> = {
  expected: '[IP:]PORT or an IP address, like 8080, 10.16.12.11:8080 or [fd00::11]:8080',
  parse(text: string): ServedTarget {
    const bare = parseIpAddress(text);
    if (bare !== undefined) return { address: bare, port: undefined };
    const match = /^(?:(\[[^\]]*\]|\d+\.[\d.]+)?(?::(\d{1,5}))?|(\d{1,5}))$/.exec(text);
    if (match === null || text === '') throw new ValueProblem('');
    const [, addressText, afterColon, alone] = match;
    const portText = afterColon ?? alone;
    const address = addressText === undefined ? undefined : parseIpAddress(addressText.replace(/^\[(.*)\]$/, '$1'));
    if (addressText !== undefined && address === undefined) throw new ValueProblem(`"${addressText}" is no IP address`);
    const port = portText === undefined ? undefined : Number(portText);
    if (port !== undefined && (port < 1 || port > 65535)) {
      throw new ValueProblem(`${portText} is no TCP port: ports are from 1 to 65535`);
    }
    return { address, port };
  },
};
