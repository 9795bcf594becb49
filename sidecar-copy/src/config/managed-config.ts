import { ENGINE_LIMITS_DEFAULT, INTERCEPT_TOKEN_PREFIX } from '@trafficcopy/core';
import {
  type Flag,
  type FlagValues,
  type ProgramConfig,
  programConfig,
  type SocketAddress,
  UsageError,
  ValueProblem,
} from '@trafficcopy/runtime';
import type { ManagedBasis } from '../operator/managed-copy.js';
import { budgetLimits } from './budget-limits.js';
import { COPY_FLAGS } from './copy-flags.js';
import { isGiven } from './given-flag.js';
import { joinTokenValue } from './join-token-value.js';

/** A copy that an operator directs. */
export interface ManagedConfig extends ProgramConfig {
  readonly operator: SocketAddress;
  readonly token: string;
  /** Of intercepts outside the cluster, by the variable of the environment that each came in. */
  readonly interceptTokens: { readonly [variable: string]: string };
  readonly capture: 'native' | 'cap';
  readonly basis: ManagedBasis;
}

/** Of a device, octets: there may be many copies on one node. */
const CAPTURE_BUFFER_BYTES_DEFAULT = 16 * 1024 * 1024;
/** As HELLO allows it. */
const NAME_LENGTH_MAX = 255;

/** What the operator decides, or what has no place in somebody else's pod. */
const REFUSED = [
  'map',
  'intercept',
  'port',
  'delivery',
  'clientAddresses',
  'copies',
  'percent',
  'sampleBy',
  'seed',
  'interfaces',
  'filter',
  'speed',
  'idleMsMax',
  'runs',
  'rate',
  'from',
  'until',
  'joinToken',
  'stateDirectory',
  'insecure',
  'wire',
  'responsePayload',
  'credentialsFile',
  'sessionsMax',
  'heldBytesMax',
  'threads',
  'recordFile',
  'measure',
  'reportFile',
  'trace',
  'rampMs',
  'compareFile',
  'compareBytes',
  'compareIgnore',
  'compareDifferences',
  'durationMs',
  'pidFile',
] as const satisfies readonly (keyof typeof COPY_FLAGS)[];

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Makes the configuration of a command line with --operator.
 *
 * @throws UsageError when something is missing, or given that the operator decides.
 */
export function managedConfig(values: FlagValues<typeof COPY_FLAGS>, env: Environment): ManagedConfig {
  const { operator } = values;
  if (operator === undefined) throw new UsageError('--operator HOST[:PORT] is missing');
  for (const name of REFUSED) {
    if (!isGiven(values, name)) continue;
    throw new UsageError(`${flagText(COPY_FLAGS[name])} does not go together with --operator: ${adviceOn(name)}`);
  }
  return {
    ...programConfig(values, []),
    operator,
    token: tokenOf(env),
    interceptTokens: interceptTokensOf(env),
    capture: values.capture,
    basis: basisOf(values, env),
  };
}

function basisOf(values: FlagValues<typeof COPY_FLAGS>, env: Environment): ManagedBasis {
  return {
    udp: false,
    wait: !values.noWait,
    fullSessionsOnly: values.fullSessionsOnly,
    mtuBytes: values.mtuBytes,
    responseTimeoutMs: values.responseTimeoutMs,
    idleTimeoutMs: values.idleTimeoutMs ?? values.responseTimeoutMs + 1_200_000,
    captureBufferBytes: values.captureBufferBytes ?? CAPTURE_BUFFER_BYTES_DEFAULT,
    name: podName(env) ?? values.name,
    wire: undefined,
    responsePayloadBytes: 0,
    connect: false,
    limits: { ...ENGINE_LIMITS_DEFAULT, connectionsMax: values.connectionsMax },
    budget: budgetLimits(values),
  };
}

function adviceOn(name: (typeof REFUSED)[number]): string {
  if (name === 'joinToken') return 'the token comes by the environment variable TRAFFICCOPY_TOKEN';
  if (name === 'stateDirectory') return 'keys and certificates are kept in memory';
  if (name === 'threads') return 'a copy in a pod is one process';
  if (name === 'measure' || name === 'reportFile') return 'leave it out; the operator has no place for a report';
  if (name === 'trace') return 'leave it out; whose sessions they are has no place in the log of a pod';
  return 'leave it out; what is copied stands in the TrafficCopy resource';
}

function tokenOf(env: Environment): string {
  const text = env['TRAFFICCOPY_TOKEN'];
  if (text === undefined || text === '') {
    throw new UsageError(
      '--operator needs a token to join with: expected the environment variable TRAFFICCOPY_TOKEN, which comes from the Secret of a TrafficCopy; is that gone?',
    );
  }
  try {
    return joinTokenValue.parse(text);
  } catch (error) {
    if (!(error instanceof ValueProblem)) throw error;
    throw new UsageError('TRAFFICCOPY_TOKEN: the value does not fit: expected a whole token, like tc1.….…', {
      cause: error,
    });
  }
}

/** They are looked at when they are needed: a bad one must not keep the copy from its other targets. */
function interceptTokensOf(env: Environment): Record<string, string> {
  const tokens: Record<string, string> = {};
  for (const [name, text] of Object.entries(env)) {
    if (name.startsWith(INTERCEPT_TOKEN_PREFIX) && text !== undefined) tokens[name] = text;
  }
  return tokens;
}

/** NAMESPACE/NAME of the pod, where they are known. */
function podName(env: Environment): string | undefined {
  const { POD_NAMESPACE: namespace, POD_NAME: name } = env;
  if (namespace === undefined || name === undefined) return undefined;
  const text = `${namespace}/${name}`;
  return /^[\w./-]+$/.test(text) ? text.slice(0, NAME_LENGTH_MAX) : undefined;
}

function flagText(flag: Flag): string {
  return flag.short === undefined ? `--${flag.long}` : `-${flag.short}/--${flag.long}`;
}
