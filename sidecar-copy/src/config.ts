/**
 * The typed configuration of the copy, made from a command line by a pure function: when it returns, the configuration is right
 * as far as it can be known without touching anything. Under an operator most of it comes later: operator/.
 */
import { resolve } from 'node:path';
import {
  ENGINE_LIMITS_DEFAULT,
  type EndpointConfig,
  type EngineConfig,
  type EngineLimits,
  formatIpAddress,
  type IpAddress,
  ipAddressesEqual,
  type MappingConfig,
  type SampleConfig,
  TARGETS_MAX,
  type TargetConfig,
  type WireFormat,
} from '@trafficcopy/core';
import {
  type FlagValues,
  formatDuration,
  formatSocketAddress,
  type ProgramConfig,
  programConfig,
  type SocketAddress,
  UsageError,
} from '@trafficcopy/runtime';
import { budgetLimits } from './config/budget-limits.js';
import { CLIENT_ADDRESSES_MAX } from './config/client-address-value.js';
import { type ComparePlan, comparePlan } from './config/compare-plan.js';
import { COPY_FLAGS } from './config/copy-flags.js';
import type { InterceptText } from './config/intercept-value.js';
import { formatEndpoint, type MappingText } from './config/mapping-value.js';
import { offlinePlan } from './config/offline-config.js';
import { checkUdp } from './config/udp-config.js';
import { wireFormat } from './config/wire-format.js';
import type { CopyPlan } from './copy-plan.js';
import { shareText } from './copy-status.js';
import { engineProtocols } from './logins/engine-protocols.js';
import type { PortLogins } from './logins/port-logins.js';
import type { OfflinePlan } from './offline/offline-plan.js';
import type { BudgetLimits } from './safety-budget.js';
import type { SessionFilter } from './trace/session-filter.js';

/** For each device, octets. */
const CAPTURE_BUFFER_BYTES_DEFAULT = 64 * 1024 * 1024;
/** What goes from the engine to a socket of the same process is cut as little as IP allows. */
const MTU_BYTES_MAX = 65_535;
/** With --connect one lane stands for all targets. */
const NO_INTERCEPT: InterceptText = { targetAddress: undefined, host: 'localhost', port: undefined };

export { COPY_COMMAND } from './config/copy-command.js';
export { type ManagedConfig, managedConfig } from './config/managed-config.js';
export { type SessionFilter, sessionFilterValue } from './trace/session-filter.js';

export interface CopyConfig extends ProgramConfig {
  /** What is copied; `lane` of a target is an index of `lanes`. Targets of one mapping have one address family. */
  readonly mappings: readonly MappingConfig[];
  /** The intercepts: one lane each, 1 or more, all different. */
  readonly lanes: readonly SocketAddress[];
  /** Datagrams are copied, in the place of connections. */
  readonly udp: boolean;
  readonly delivery: 'tunnel' | 'direct';
  /** Empty: the clients' own addresses stay. Has an address of each family that a target has. */
  readonly clientAddresses: readonly IpAddress[];
  /** Sessions for each connection and target. */
  readonly copies: number;
  readonly sample: SampleConfig;
  /** How long it takes until all of it is copied (-g), ms; 0: that begins at once. */
  readonly rampMs: number;
  readonly fullSessionsOnly: boolean;
  /** False: -W. */
  readonly wait: boolean;
  readonly mtuBytes: number;
  readonly responseTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Devices to capture on; empty: all. */
  readonly interfaces: readonly string[];
  /** A pcap expression that captured packets must fit as well. */
  readonly filter: string | undefined;
  /** Size of the kernel's capture buffer, octets, for each device. */
  readonly captureBufferBytes: number;
  readonly capture: 'native' | 'cap';
  /** Capture files that are replayed; undefined: a live capture. */
  readonly offline: OfflinePlan | undefined;
  /** Their targets are reached over ordinary connections; there is no intercept. */
  readonly connect: boolean;
  readonly joinToken: string | undefined;
  readonly stateDirectory: string;
  readonly insecure: boolean;
  /** The intercepts are C programs that send headers so; undefined: they are ours. */
  readonly wire: WireFormat | undefined;
  /** The file with the logins at the targets. */
  readonly credentialsFile: string | undefined;
  /** What it says; read when the program starts. */
  readonly logins: readonly PortLogins[];
  /** Octets of each response's payload that the engine is to see: what the intercepts are asked for, and with `connect` of each read; 0: none. */
  readonly responsePayloadBytes: number;
  readonly name: string;
  readonly limits: EngineLimits;
  /** Whether the answers of targets are measured. */
  readonly measures: boolean;
  /** The page that is written of it. */
  readonly reportFile: string | undefined;
  /** Sessions that the log shows. */
  readonly trace: SessionFilter | undefined;
  /** What the program may use before it copies less. */
  readonly budget: BudgetLimits;
  /** What is compared, and where the differences go; undefined: nothing. */
  readonly compare?: ComparePlan | undefined;
  /** Worker processes that share the clients; 1: none, the program does it all. */
  readonly threads: number;
}

/**
 * Makes the configuration of a command line's values.
 *
 * @param hostAddresses the addresses of this host, so that a copy is not sent to the very port it is captured at.
 * @throws UsageError when values do not go together.
 */
export function copyConfig(values: FlagValues<typeof COPY_FLAGS>, hostAddresses: readonly IpAddress[]): CopyConfig {
  if (values.map.length === 0) {
    throw new UsageError(`-x/--map ${COPY_FLAGS.map.argument} is missing: expected ${COPY_FLAGS.map.value.expected}`);
  }
  checkUdp(values);
  const offline = offlinePlan(values);
  const lanes = new Lanes(values.connect ? [NO_INTERCEPT] : values.intercept, values.port);
  const mappings = mergeMappings(values.map, lanes);
  checkMappings(mappings, offline === undefined ? hostAddresses : undefined);
  lanes.checkAllUsed();
  const compare = comparePlan(values);
  const families = new Set(mappings.map(addressBytesOf));
  if (families.has(16) && values.mtuBytes < 1280) {
    throw new UsageError(`-M/--mtu: ${values.mtuBytes} is too small for IPv6 targets: expected 1280 or more`);
  }
  if (values.credentialsFile !== undefined && values.wire !== undefined) {
    throw new UsageError(
      '--credentials and --wire exclude each other: a C intercept returns too little of what the target answers',
    );
  }
  checkOutputs(values);
  if (values.insecure && values.joinToken !== undefined) {
    throw new UsageError('--insecure and --join exclude each other: a plain channel knows no tokens');
  }
  if (values.seed !== 0 && values.percent === 100) {
    throw new UsageError('--seed has no effect without -r/--percent below 100');
  }
  if (values.threads > 1 && values.trace !== undefined) {
    throw new UsageError(
      `--threads ${values.threads} does not go together with --trace: sessions are traced with one thread`,
    );
  }
  if (values.threads > 1 && values.capture !== 'native') {
    throw new UsageError(
      `--threads ${values.threads} does not go together with --capture=${values.capture}: only the native capture can share the clients among workers`,
    );
  }
  return {
    ...programConfig(values, notesOf(values)),
    mappings,
    lanes: lanes.all,
    udp: values.udp,
    delivery: values.connect || values.udp ? 'tunnel' : values.delivery,
    clientAddresses: clientAddressesOf(values.clientAddresses.flat(), mappings, families),
    copies: values.copies,
    sample: { fraction: values.percent / 100, by: values.sampleBy, seed: values.seed },
    rampMs: values.rampMs ?? 0,
    fullSessionsOnly: values.fullSessionsOnly,
    wait: !values.noWait,
    mtuBytes: values.connect ? MTU_BYTES_MAX : values.mtuBytes,
    responseTimeoutMs: values.responseTimeoutMs,
    idleTimeoutMs: values.idleTimeoutMs ?? values.responseTimeoutMs + 1_200_000,
    interfaces: values.interfaces.flatMap((place) => (place.kind === 'device' ? [place.name] : [])),
    filter: values.filter,
    captureBufferBytes: values.captureBufferBytes ?? CAPTURE_BUFFER_BYTES_DEFAULT,
    capture: values.capture,
    offline,
    connect: values.connect,
    joinToken: values.joinToken,
    stateDirectory: values.stateDirectory,
    insecure: values.insecure,
    wire: wireFormat(values, families),
    credentialsFile: values.credentialsFile,
    logins: [],
    responsePayloadBytes: compare?.config.answerBytesMax ?? 0,
    name: values.name,
    threads: values.threads,
    limits: {
      ...ENGINE_LIMITS_DEFAULT,
      connectionsMax: values.connectionsMax,
      sessionsMax: values.sessionsMax,
      heldBytesMax: values.heldBytesMax,
      heldBytesPerConnectionMax: Math.min(values.heldBytesMax, ENGINE_LIMITS_DEFAULT.heldBytesPerConnectionMax),
    },
    measures: values.measure || values.reportFile !== undefined,
    reportFile: values.reportFile,
    trace: values.trace,
    compare,
    budget: budgetLimits(values),
  };
}

/** What of the values has no effect, or another one than it seems. */
function notesOf({ lonely, rampMs = 0, durationMs }: FlagValues<typeof COPY_FLAGS>): string[] {
  const notes = lonely ? ['-L/--lonely has no effect: copy always keeps running and reconnects'] : [];
  if (durationMs !== undefined && rampMs > durationMs) {
    const share = shareText(durationMs / rampMs);
    notes.push(
      `-g/--ramp ${formatDuration(rampMs)} is longer than --duration ${formatDuration(durationMs)}: at its end ${share} of all that -r and -n ask for is copied`,
    );
  }
  return notes;
}

/** What of a configuration stays until the end of the program, whatever the plan is. */
export type CopyBasis = Pick<
  CopyConfig,
  | 'udp'
  | 'delivery'
  | 'wait'
  | 'fullSessionsOnly'
  | 'mtuBytes'
  | 'responseTimeoutMs'
  | 'idleTimeoutMs'
  | 'captureBufferBytes'
  | 'name'
  | 'limits'
  | 'budget'
  | 'wire'
  | 'responsePayloadBytes'
  | 'connect'
  | 'compare'
>;

/**
 * An engine that has no lanes and no mappings yet. `seed` is for initial sequence numbers and ports: from a source of real
 * randomness.
 */
export function engineConfigOf(basis: CopyBasis, plan: CopyPlan, seed: number): EngineConfig {
  const { udp, delivery, wire, wait, fullSessionsOnly, mtuBytes, responseTimeoutMs, idleTimeoutMs, limits, compare } =
    basis;
  const { copies, sample, clientAddresses } = plan;
  return {
    mappings: [],
    lanes: 0,
    copies,
    sample,
    clientAddresses,
    udp,
    wait,
    fullSessionsOnly,
    mtuBytes,
    // A C intercept has no rule that looks for the mark.
    markSegments: delivery === 'direct' && wire === undefined,
    seed,
    compare: compare?.config,
    responseTimeoutMs,
    idleTimeoutMs,
    limits,
    protocols: engineProtocols(plan.logins ?? []),
  };
}

/** The intercepts in use, each once. */
class Lanes {
  readonly all: SocketAddress[] = [];
  readonly #byTarget = new Map<string, InterceptText>();
  readonly #used = new Set<InterceptText>();
  readonly #port: number;
  #others: InterceptText | undefined;

  constructor(items: readonly InterceptText[], port: number) {
    this.#port = port;
    for (const item of items) {
      const target = item.targetAddress === undefined ? undefined : formatIpAddress(item.targetAddress);
      if (target === undefined ? this.#others !== undefined : this.#byTarget.has(target)) {
        const what = target === undefined ? 'all targets' : `the target ${target}`;
        throw new UsageError(
          `-s/--intercept: two intercepts are given for ${what}: one answers for a target; for several targets write TARGET-IP=HOST[:PORT]`,
        );
      }
      if (target === undefined) this.#others = item;
      else this.#byTarget.set(target, item);
    }
  }

  /** The lane for a target; a new one if its intercept is new. */
  laneOf(targetAddress: IpAddress): number {
    const target = formatIpAddress(targetAddress);
    const item = this.#byTarget.get(target) ?? this.#others;
    if (item !== undefined) this.#used.add(item);
    const address = { host: item?.host ?? target, port: item?.port ?? this.#port };
    const known = this.all.findIndex((lane) => lane.host === address.host && lane.port === address.port);
    return known >= 0 ? known : this.all.push(address) - 1;
  }

  checkAllUsed(): void {
    for (const item of [...this.#byTarget.values(), this.#others]) {
      if (item === undefined || this.#used.has(item)) continue;
      const of = item.targetAddress === undefined ? '' : ` for ${formatIpAddress(item.targetAddress)}`;
      const address = formatSocketAddress({ host: item.host, port: item.port ?? this.#port });
      throw new UsageError(`-s/--intercept: ${address}${of} is never used: no target of -x/--map needs it`);
    }
  }
}

/** Items of one online address and port become one mapping for each address family of their targets, in order. */
function mergeMappings(items: readonly MappingText[], lanes: Lanes): MappingConfig[] {
  const merged = new Map<string, MappingConfig & { readonly targets: TargetConfig[] }>();
  for (const { onlineAddress, onlinePort, targets } of items) {
    for (const { address, port } of targets) {
      const online = onlineAddress === undefined ? '*' : formatIpAddress(onlineAddress);
      if (onlineAddress !== undefined && onlineAddress.length !== address.length) {
        throw new UsageError(
          `-x/--map: ${online} and ${formatEndpoint(address, port)} are of different IP versions: expected two IPv4 or two IPv6 addresses`,
        );
      }
      const key = `${online} ${onlinePort} ${address.length}`;
      const ipVersion = address.length === 4 ? 4 : 6;
      const mapping = merged.get(key) ?? { onlineAddress, onlinePort, ipVersion, targets: [] };
      merged.set(key, mapping);
      const name = formatEndpoint(address, port);
      if (mapping.targets.some((target) => target.name === name)) {
        throw new UsageError(
          `-x/--map: the target ${name} is given twice for port ${onlinePort}: use -n/--copies for more copies`,
        );
      }
      if (mapping.targets.length === TARGETS_MAX) {
        throw new UsageError(`-x/--map: port ${onlinePort} has more than ${TARGETS_MAX} targets`);
      }
      mapping.targets.push({ name, endpoints: [{ lane: lanes.laneOf(address), address, port }] });
    }
  }
  return [...merged.values()];
}

/** `hostAddresses` undefined: nothing is captured here. */
function checkMappings(mappings: readonly MappingConfig[], hostAddresses: readonly IpAddress[] | undefined): void {
  for (const [index, mapping] of mappings.entries()) {
    for (const { address, port } of endpointsOf(mapping)) {
      if (hostAddresses === undefined) continue;
      const isCapturedAgain = mappings.some(
        (other) => other.onlinePort === port && coversAddress(other, address, hostAddresses),
      );
      if (isCapturedAgain) {
        throw new UsageError(
          `-x/--map: the target ${formatEndpoint(address, port)} is itself captured on this host, so copies would be copied again: name the online address (IP:PORT-…), or let the target listen elsewhere`,
        );
      }
    }
    if (mapping.onlineAddress === undefined) continue;
    const hidden = mappings
      .slice(0, index)
      .some(
        (earlier) =>
          earlier.onlineAddress === undefined &&
          earlier.onlinePort === mapping.onlinePort &&
          earlier.ipVersion === mapping.ipVersion,
      );
    if (hidden) {
      throw new UsageError(
        `-x/--map: ${formatEndpoint(mapping.onlineAddress, mapping.onlinePort)} is never reached: an earlier mapping takes port ${mapping.onlinePort} of every address; put it first`,
      );
    }
  }
}

/** Whether `mapping` captures what arrives at `address` of this host. */
function coversAddress(mapping: MappingConfig, address: IpAddress, hostAddresses: readonly IpAddress[]): boolean {
  if (mapping.onlineAddress !== undefined) return isSame(mapping.onlineAddress, address);
  const isLoopback = address.length === 4 ? address[0] === 127 : formatIpAddress(address) === '::1';
  return isLoopback || hostAddresses.some((own) => isSame(own, address));
}

function clientAddressesOf(
  addresses: readonly IpAddress[],
  mappings: readonly MappingConfig[],
  families: ReadonlySet<number>,
): IpAddress[] {
  if (addresses.length === 0) return [];
  // As in tcpcopy: a target cannot be its own client.
  const targets = mappings.flatMap(endpointsOf);
  const unique = new Map(addresses.map((address) => [formatIpAddress(address), address]));
  const usable = [...unique.values()].filter((address) => !targets.some((target) => isSame(target.address, address)));
  if (usable.length > CLIENT_ADDRESSES_MAX) {
    throw new UsageError(
      `-c/--client-address: ${usable.length} addresses are too many: at most ${CLIENT_ADDRESSES_MAX}`,
    );
  }
  for (const family of families) {
    if (usable.some((address) => address.length === family)) continue;
    throw new UsageError(
      `-c/--client-address: expected at least one IPv${family === 4 ? 4 : 6} address that is not the target's own, since a target is IPv${family === 4 ? 4 : 6}`,
    );
  }
  return usable;
}

function endpointsOf(mapping: MappingConfig): readonly EndpointConfig[] {
  return mapping.targets.flatMap((target) => target.endpoints);
}

function addressBytesOf(mapping: MappingConfig): number {
  return mapping.ipVersion === 4 ? 4 : 16;
}

function isSame(a: IpAddress, b: IpAddress): boolean {
  return a.length === b.length && ipAddressesEqual(a, 0, b, 0, a.length);
}

const OUTPUTS = ['logFile', 'summaryFile', 'recordFile', 'reportFile', 'compareFile', 'pidFile'] as const;

/** Two outputs in one file would be the last one of them. */
function checkOutputs(values: FlagValues<typeof COPY_FLAGS>): void {
  const flags = new Map<string, string>();
  for (const name of OUTPUTS) {
    const file = values[name];
    if (file === undefined || file.startsWith('/dev/')) continue;
    const path = resolve(file);
    const long = `--${COPY_FLAGS[name].long}`;
    const other = flags.get(path);
    if (other !== undefined) throw new UsageError(`${other} and ${long} name the same file ${file}: expected two`);
    flags.set(path, long);
  }
}
