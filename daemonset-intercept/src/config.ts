/**
 * The typed configuration of intercept, made from a command line by a pure function: when it returns, the configuration
 * is right as far as it can be known without touching anything.
 */
import type { IpAddress } from '@trafficcopy/core';
import {
  type AddressRange,
  type FlagValues,
  type ProgramConfig,
  programConfig,
  UsageError,
} from '@trafficcopy/runtime';
import type { INTERCEPT_FLAGS } from './config/intercept-flags.js';
import { type NodeConfig, nodeConfig } from './config/node-config.js';
import type { ServedTarget } from './config/target-value.js';
import { checkUdpClients, udpClientsNote } from './config/udp-clients.js';
import { type WireConfig, wireConfig, wireNote } from './config/wire-config.js';

export { INTERCEPT_COMMAND } from './config/intercept-command.js';

export interface InterceptConfig extends ProgramConfig {
  /** Copies are served for these only; empty: every address and port of the namespace. */
  readonly targets: readonly ServedTarget[];
  /** Responses to these clients are let through (-x). */
  readonly pass: readonly AddressRange[];
  /** Addresses of the target's own host that copies may use as client addresses. */
  readonly allowedSources: readonly AddressRange[];
  /** Addresses, of nobody, that clients of datagrams have; empty: no datagrams are taken. */
  readonly udpClients: readonly AddressRange[];
  /** The target's network namespace; undefined: the own one. */
  readonly netnsPath: string | undefined;
  readonly port: number;
  /** Undefined: all addresses. */
  readonly bindAddress: IpAddress | undefined;
  readonly stateDirectory: string;
  readonly tokenTtlMs: number;
  /** Print the command for one more copy and end, instead of serving. */
  readonly newToken: boolean;
  /** The printed token is for any number of copies. */
  readonly reusable: boolean;
  /** Forget all tokens and end, instead of serving. */
  readonly revokeTokens: boolean;
  readonly insecure: boolean;
  /** C tcpcopies are served too. */
  readonly wire: WireConfig | undefined;
  /** Packets that may wait in the NFQUEUE. */
  readonly queueLengthMax: number;
  readonly queue: 'native' | 'nfqueue';
  /** Undefined: the default base number. */
  readonly queueNumber: number | undefined;
  readonly iptables: 'auto' | 'legacy' | 'nft';
  /** Stands in the owner comment of the rules. */
  readonly instance: string;
  /** Worker processes that share the copies; 1: none, the program does it all. */
  readonly threads: number;
  /** On a node of a cluster; undefined: one namespace, as the other values say. */
  readonly node: NodeConfig | undefined;
}

const TOKEN_TTL_MS_DEFAULT = 3_600_000;
/** It lies in a Secret, for pods that come and go. */
const REUSABLE_TOKEN_TTL_MS_DEFAULT = 30 * 86_400_000;
const QUEUE_LENGTH_DEFAULT = 65_536;
/** There are many of them on a node, and all may fill at the same time: up to 55 MiB of kernel memory each. */
const NODE_QUEUE_LENGTH_DEFAULT = 16_384;
/** Constant, so that the next intercept on the node finds what this one left. */
const NODE_INSTANCE = 'node';

/** A pass list of tcpcopy names genuine clients of the target; here those are answered without one. */
const PASS_NOTE =
  '-x/--pass: connections of these addresses are not copied; what is not copied is answered without a list';

/** Makes the configuration of a command line's values. Throws UsageError when they do not go together. */
export function interceptConfig(values: FlagValues<typeof INTERCEPT_FLAGS>): InterceptConfig {
  checkTokenFlags(values);
  if (values.queue === 'nfqueue' && values.netnsPath !== undefined) {
    throw new UsageError(
      '--queue nfqueue does not work with --netns: the package opens its queue in the own namespace only; start intercept with "ip netns exec" or "nsenter", or use --queue native',
    );
  }
  if (values.threads > 1 && values.wire.length > 0) {
    throw new UsageError(`--threads ${values.threads} does not go together with --wire: one thread serves C tcpcopies`);
  }
  if (values.threads > 1 && values.queue !== 'native') {
    throw new UsageError(
      `--threads ${values.threads} does not go together with --queue ${values.queue}: that is for comparison with one thread`,
    );
  }
  checkUdpClients(values);
  const node = nodeConfig(values);
  const wire = wireConfig(values);
  const {
    targets,
    pass,
    allowedSources,
    udpClients,
    netnsPath,
    port,
    bindAddress,
    stateDirectory,
    newToken,
    reusable,
    revokeTokens,
    insecure,
  } = values;
  const { queue, queueNumber, iptables } = values;
  const queueLengthDefault = node === undefined ? QUEUE_LENGTH_DEFAULT : NODE_QUEUE_LENGTH_DEFAULT;
  return {
    ...programConfig(values, notesOf(values, wire)),
    targets,
    pass,
    allowedSources,
    udpClients,
    netnsPath,
    port,
    bindAddress,
    stateDirectory,
    tokenTtlMs: values.tokenTtlMs ?? (reusable ? REUSABLE_TOKEN_TTL_MS_DEFAULT : TOKEN_TTL_MS_DEFAULT),
    newToken,
    reusable,
    revokeTokens,
    insecure,
    wire,
    queueLengthMax: values.queueLengthMax ?? queueLengthDefault,
    queue,
    queueNumber,
    iptables,
    threads: values.threads,
    instance: values.instance ?? (node === undefined ? String(port) : NODE_INSTANCE),
    node,
  };
}

function notesOf({ pass, udpClients }: FlagValues<typeof INTERCEPT_FLAGS>, wire: WireConfig | undefined): string[] {
  const notes: string[] = [];
  if (wire !== undefined) notes.push(wireNote(wire));
  else if (pass.length > 0) notes.push(PASS_NOTE);
  if (udpClients.length > 0) notes.push(udpClientsNote(udpClients));
  return notes;
}

function checkTokenFlags({ newToken, reusable, revokeTokens, insecure }: FlagValues<typeof INTERCEPT_FLAGS>): void {
  if ((newToken || revokeTokens) && insecure) {
    const flag = newToken ? '--new-token' : '--revoke-tokens';
    throw new UsageError(`${flag} and --insecure exclude each other: a plain channel knows no tokens`);
  }
  if (newToken && revokeTokens) {
    throw new UsageError('--new-token and --revoke-tokens exclude each other: revoke first, then take a new token');
  }
  if (reusable && !newToken) {
    throw new UsageError('--reusable needs --new-token: the token that is printed at the start is always for one copy');
  }
}
