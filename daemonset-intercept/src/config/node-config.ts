/** What of the command line makes an intercept one of a node in a cluster, and what of it does not go with that. */
import type { IpAddress } from '@trafficcopy/core';
import { type FlagValues, type SocketAddress, UsageError } from '@trafficcopy/runtime';
import type { INTERCEPT_FLAGS } from './intercept-flags.js';

export interface NodeConfig {
  readonly operator: SocketAddress;
  /** The service account token. */
  readonly joinFile: string;
  /** The certificate of the cluster's authority. */
  readonly authorityFile: string;
  /** The node's /proc. */
  readonly procPath: string;
  readonly nodeName: string;
  /** Where copies connect to. */
  readonly advertisedAddress: IpAddress;
}

type Values = FlagValues<typeof INTERCEPT_FLAGS>;

/** Undefined without --operator. Throws UsageError when flags do not go together. */
export function nodeConfig(values: Values): NodeConfig | undefined {
  const { operator, joinFile, authorityFile, procPath, nodeName, advertisedAddress } = values;
  const files = { '--join-file': joinFile, '--authority-file': authorityFile, '--host-proc': procPath };
  const given = Object.entries(files).filter(([, value]) => value !== undefined);
  if (operator === undefined) {
    const [flag] = given[0] ?? [];
    if (flag === undefined) return undefined;
    throw new UsageError(`${flag} needs --operator: it is for an intercept on a node of a cluster`);
  }
  for (const [flag, isGiven] of Object.entries(withoutOperator(values))) {
    if (isGiven) throw new UsageError(`${flag} and --operator exclude each other: the operator says what is served`);
  }
  const missing = Object.keys(files).find((flag) => !given.some(([name]) => name === flag));
  if (joinFile === undefined || authorityFile === undefined || procPath === undefined) {
    throw new UsageError(`--operator needs ${missing}`);
  }
  if (nodeName === undefined) throw new UsageError('--operator needs --node-name, or NODE_NAME in the environment');
  if (advertisedAddress === undefined) {
    throw new UsageError(
      '--operator needs --advertise, or POD_IP in the environment: the address that copies connect to',
    );
  }
  return { operator, joinFile, authorityFile, procPath, nodeName, advertisedAddress };
}

/** What a single intercept is told on its command line, and one of a cluster by its operator. */
function withoutOperator(values: Values): Readonly<Record<string, boolean>> {
  return {
    '--target': values.targets.length > 0,
    '--pass': values.pass.length > 0,
    '--allow-source': values.allowedSources.length > 0,
    '--netns': values.netnsPath !== undefined,
    '--new-token': values.newToken,
    '--revoke-tokens': values.revokeTokens,
    '--insecure': values.insecure,
    '--queue nfqueue': values.queue === 'nfqueue',
    '--threads': values.threads > 1,
  };
}
