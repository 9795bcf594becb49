import { formatIpAddress } from '@trafficcopy/core';
import { formatSocketAddress } from '@trafficcopy/runtime';
import type { InterceptConfig } from '../config.js';
import { firstAddress } from './first-address.js';

/** What to do with a token for copies in a cluster: the Secret that holds it, and the target that names the Secret. Lines of text. */
export function secretCommand(
  config: Pick<InterceptConfig, 'targets' | 'port' | 'bindAddress' | 'tokenTtlMs'>,
  token: string,
  hostAddress: string = firstAddress(),
): string {
  const host = config.bindAddress === undefined ? hostAddress : formatIpAddress(config.bindAddress);
  const target = config.targets[0]?.address;
  const address = target === undefined ? host : formatIpAddress(target);
  const name = `intercept-${host.replaceAll(/[.:]+/g, '-').replace(/-$/, '')}`;
  return [
    `Any number of copies may join with this token within ${validityText(config.tokenTtlMs)}. Put it where the TrafficCopy is:`,
    `  kubectl -n NAMESPACE create secret generic ${name} --from-literal=token=${token}`,
    'and name it in the target of the TrafficCopy:',
    `  address: ${JSON.stringify(address)}`,
    `  intercept: ${JSON.stringify(formatSocketAddress({ host, port: config.port }))}`,
    `  interceptTokenSecret: {name: ${name}}`,
    '',
  ].join('\n');
}

const MINUTE_MS = 60_000;

export function validityText(lifetimeMs: number): string {
  const minutes = Math.round(lifetimeMs / MINUTE_MS);
  if (minutes < 120) return `${minutes} minutes`;
  const hours = Math.round(minutes / 60);
  return hours < 72 ? `${hours} hours` : `${Math.round(hours / 24)} days`;
}
