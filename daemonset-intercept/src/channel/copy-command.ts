import { type AddressRange, formatIpAddress } from '@trafficcopy/core';
import { formatSocketAddress } from '@trafficcopy/runtime';
import type { InterceptConfig } from '../config.js';
import { formatRange } from '../rules/wire-rules.js';
import { firstAddress } from './first-address.js';

/** Stands for the port of the online server where nothing says which. */
const PORT_EXAMPLE = 80;
/** Stands for the address of a target in another network namespace, where this host's own do not lead. */
const ADDRESS_EXAMPLE = 'TARGET-IP';

export interface CopyCommand {
  readonly text: string;
  /** What the reader has to put in; undefined when nothing. */
  readonly hint: string | undefined;
}

/** The command to run where the online server is: ready-made as far as intercept knows. Without a token: plain TCP. */
export function copyCommand(
  config: Pick<InterceptConfig, 'targets' | 'port' | 'bindAddress' | 'netnsPath' | 'udpClients'>,
  token: string | undefined,
  hostAddress: string = firstAddress(),
): CopyCommand {
  const host = config.bindAddress === undefined ? hostAddress : formatIpAddress(config.bindAddress);
  const [target] = config.targets;
  const ownAddress = config.netnsPath === undefined ? hostAddress : ADDRESS_EXAMPLE;
  const address = target?.address === undefined ? ownAddress : formatIpAddress(target.address);
  const port = target?.port ?? PORT_EXAMPLE;
  const intercept = formatSocketAddress({ host, port: config.port });
  const isUnknown = address === ADDRESS_EXAMPLE;
  const mapping = `${port}-${isUnknown ? `${address}:${port}` : formatSocketAddress({ host: address, port })}`;
  const hints = [
    ...(target?.port === undefined ? [`put your ports in place of ${PORT_EXAMPLE}`] : []),
    ...(isUnknown ? [`${ADDRESS_EXAMPLE} is the target's address in ${config.netnsPath}`] : []),
    ...(config.udpClients.length === 0 ? [] : [`for UDP add --udp -c ${config.udpClients.map(shareText).join(',')}`]),
  ];
  return {
    text: `trafficcopy copy -x ${mapping} -s ${intercept} ${token === undefined ? '--insecure' : `--join ${token}`}`,
    hint: hints.length === 0 ? undefined : `(-x ONLINE-PORT-TARGET-IP:TARGET-PORT: ${hints.join('; ')})`,
  };
}

/** Of a range that a copy cannot take as a whole, the beginning: 256 addresses. */
function shareText({ address, prefixBits }: AddressRange): string {
  return formatRange({ address, prefixBits: Math.max(prefixBits, address.length * 8 - 8) });
}
