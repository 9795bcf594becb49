import { type IpAddress, parseIpAddress } from '@trafficcopy/core';
import { type SocketAddress, socketAddressValue, ValueProblem, type ValueType } from '@trafficcopy/runtime';

/** One item of -s: an intercept, for one target or for all that have no own one. */
export interface InterceptText {
  /** Undefined: for every target that is not named by another item. */
  readonly targetAddress: IpAddress | undefined;
  readonly host: string;
  /** Undefined: as -p says. */
  readonly port: number | undefined;
}

const NO_PORT = 65535;
const EXPECTED = '[TARGET-IP=]HOST[:PORT], like 10.16.12.11, intercept.example:36524 or [fd00::11]=[fd00::11]:36524';

/** `[target=]host[:port]`. */
export const interceptValue: ValueType<InterceptText> = {
  expected: EXPECTED,
  parse(text: string): InterceptText {
    const equals = text.indexOf('=');
    const targetText = equals < 0 ? undefined : text.slice(0, equals).replace(/^\[(.*:.*)\]$/, '$1');
    const targetAddress = targetText === undefined ? undefined : parseIpAddress(targetText);
    if (targetText !== undefined && targetAddress === undefined) {
      throw new ValueProblem(`"${targetText}" is no IP address of a target`);
    }
    const hostText = text.slice(equals + 1);
    const hasPort = /^(\[.*\]|[^:]*):\d+$/.test(hostText);
    const { host, port }: SocketAddress = socketAddressValue(EXPECTED, { defaultPort: NO_PORT }).parse(hostText);
    return { targetAddress, host, port: hasPort ? port : undefined };
  },
};
