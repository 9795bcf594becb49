import { formatIpAddress, parseIpAddress } from '@trafficcopy/core';
import { parseDuration } from './duration.js';
import { duplicates, Field, FieldProblems } from './field.js';
import type { InterceptToken } from './intercept-token.js';
import type { LabelRequirement, LabelSelector } from './label-selector.js';
import { parseMillicores, parseQuantity } from './quantity.js';

/**
 * The spec with defaults filled in, durations and quantities as numbers. The API server's schema has checked most of it already; what is read
 * here is checked again, as the schema of a running cluster may be an older one.
 */
export interface CheckedSpec {
  readonly sourceSelector: LabelSelector;
  readonly targets: readonly CheckedTarget[];
  /** 0 to 1. */
  readonly sampleFraction: number;
  readonly sampleBy: 'connection' | 'client';
  readonly sampleSeed: number;
  readonly multiply: number;
  /** Undefined: no ramp. */
  readonly rampMs: number | undefined;
  /** Empty: clients keep their addresses. */
  readonly clientRanges: readonly string[];
  readonly capture: 'Auto' | 'Wire' | 'Loopback';
  readonly delivery: 'tunnel' | 'direct';
  readonly injection: 'Auto' | 'Ephemeral' | 'Sidecar';
  /** Who logs in at the targets; undefined: sessions say what the clients said. */
  readonly credentials: SecretKey | undefined;
  readonly isSuspended: boolean;
  readonly durationMs: number | undefined;
  readonly scheduleStartMs: number | undefined;
  readonly scheduleEndMs: number | undefined;
  readonly sessionsMax: number;
  readonly heldBytesMax: number;
  /** 0: no limit. */
  readonly bytesPerSecondMax: number;
  /** Of one core; undefined: no limit. */
  readonly cpuPercentMax: number | undefined;
  /** Memory of the copy (RSS); undefined: no limit. */
  readonly processBytesMax: number | undefined;
}

/** A value in a Secret of the TrafficCopy's namespace. */
export interface SecretKey {
  readonly secret: string;
  readonly key: string;
}

export interface CheckedTarget {
  readonly name: string;
  readonly place: TargetPods | TargetAddress;
  readonly ports: readonly CheckedPort[];
}

export interface TargetPods {
  readonly kind: 'pods';
  /** Undefined: the TrafficCopy's own. */
  readonly namespace: string | undefined;
  readonly selector: LabelSelector;
}

/** Outside the cluster. */
export interface TargetAddress {
  readonly kind: 'address';
  readonly address: string;
  readonly interceptHost: string;
  readonly interceptPort: number;
  /** What lets copies in there. */
  readonly token: InterceptToken;
}

export interface CheckedPort {
  readonly source: number;
  readonly target: number;
}

/** What is wrong, as sentences that name the field. */
export interface SpecProblems {
  readonly problems: readonly string[];
}

const TARGETS_MAX = 8;
const PORTS_MAX = 16;
const CIDRS_MAX = 16;
const LABELS_MAX = 64;
const SESSIONS_DEFAULT = 50_000;
const MEMORY_DEFAULT = '64Mi';
const MEMORY_BYTES_MIN = 2 ** 20;
const MEMORY_BYTES_MAX = 8 * 2 ** 30;
const BANDWIDTH_MIN = 1024;
const MILLICORES_MIN = 10;
const MILLICORES_MAX = 64_000;
/** The program alone takes most of a smaller one. */
const PROCESS_BYTES_MIN = 128 * 2 ** 20;
const PROCESS_BYTES_MAX = 64 * 2 ** 30;
const RAMP_MS_MIN = 1000;
const RAMP_MS_MAX = 168 * 3_600_000;
const SECRET_NAME_PATTERN = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const NAME_PATTERN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const HOST_PORT_PATTERN = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9](?:[-A-Za-z0-9.]*[A-Za-z0-9])?)):([1-9][0-9]{0,4})$/;

/** Total: whatever `spec` is, the answer is a spec or problems. */
export function checkSpec(spec: unknown): CheckedSpec | SpecProblems {
  const problems = new FieldProblems();
  const root = new Field('spec', spec, problems);
  const checked: CheckedSpec = {
    sourceSelector: checkSelector(root.get('source').get('selector')),
    targets: checkTargets(root.get('targets')),
    ...checkSample(root.get('sample')),
    multiply: root.get('multiply').integer(1, 1000, 1),
    rampMs: checkRamp(root.get('ramp')),
    clientRanges: checkClientRanges(root.get('clientAddress')),
    capture: root.get('capture').choice(['Auto', 'Wire', 'Loopback'], 'Auto'),
    delivery: root.get('delivery').choice(['Tunnel', 'Direct'], 'Tunnel') === 'Direct' ? 'direct' : 'tunnel',
    injection: root.get('injection').choice(['Auto', 'Ephemeral', 'Sidecar'], 'Auto'),
    credentials: root.get('credentialsSecret').isPresent
      ? checkSecretKey(root.get('credentialsSecret'), 'logins.yaml')
      : undefined,
    isSuspended: root.get('suspend').boolean(false),
    durationMs: checkDuration(root.get('duration')),
    scheduleStartMs: checkTime(root.get('schedule').get('start')),
    scheduleEndMs: checkTime(root.get('schedule').get('end')),
    ...checkLimits(root.get('limits')),
  };
  return problems.texts.length === 0 ? checked : { problems: problems.texts };
}

function checkSelector(field: Field): LabelSelector {
  const labels: Record<string, string> = {};
  for (const item of field.get('matchLabels').entries(LABELS_MAX)) labels[item.key] = item.text(63, /^/) ?? '';
  const expressions = field.get('matchExpressions').items(LABELS_MAX).map(checkRequirement);
  if (Object.keys(labels).length === 0 && expressions.length === 0) field.refuse('is empty: give at least one label');
  return { matchLabels: labels, matchExpressions: expressions };
}

function checkRequirement(field: Field): LabelRequirement {
  return {
    key: field.get('key').text(317, /./) ?? '',
    operator: field.get('operator').choice(['In', 'NotIn', 'Exists', 'DoesNotExist'], undefined),
    values: field
      .get('values')
      .items(LABELS_MAX)
      .map((item) => item.text(63, /^/) ?? ''),
  };
}

function checkTargets(field: Field): CheckedTarget[] {
  const items = field.items(TARGETS_MAX);
  if (items.length === 0) field.refuse('is empty: name at least one target');
  const targets = items.map(checkTarget);
  for (const name of duplicates(targets.map((target) => target.name))) {
    field.refuse(`has two targets named ${name}: give each a name of its own`);
  }
  return targets;
}

function checkTarget(field: Field): CheckedTarget {
  const hasAddress = field.get('address').isPresent;
  if (hasAddress === field.get('selector').isPresent) field.refuse('needs either selector or address');
  const ports = field.get('ports').items(PORTS_MAX).map(checkPort);
  if (ports.length === 0) field.get('ports').refuse('is empty: name at least one port');
  for (const port of duplicates(ports.map(({ source }) => source))) {
    field.get('ports').refuse(`names source port ${port} twice: add a second target to copy a port to two ports`);
  }
  const name = field.get('name').text(63, NAME_PATTERN) ?? '';
  return { name, place: hasAddress ? checkAddress(field) : checkPods(field), ports };
}

function checkPods(field: Field): TargetPods {
  const namespace = field.get('namespace');
  return {
    kind: 'pods',
    namespace: namespace.isPresent ? namespace.text(63, NAME_PATTERN) : undefined,
    selector: checkSelector(field.get('selector')),
  };
}

function checkAddress(field: Field): TargetAddress {
  const match = HOST_PORT_PATTERN.exec(field.get('intercept').text(261, HOST_PORT_PATTERN) ?? '');
  const address = parseIpAddress(field.get('address').text(45, /^[0-9A-Fa-f:.]+$/) ?? '');
  if (address === undefined) field.get('address').refuse('is no IP address');
  return {
    kind: 'address',
    address: address === undefined ? '' : formatIpAddress(address),
    token: checkSecretKey(field.get('interceptTokenSecret'), 'token'),
    interceptHost: match?.[1] ?? match?.[2] ?? '',
    interceptPort: Number(match?.[3] ?? 0),
  };
}

function checkSecretKey(field: Field, keyDefault: string): SecretKey {
  const key = field.get('key');
  return {
    secret: field.get('name').text(253, SECRET_NAME_PATTERN) ?? '',
    key: key.isPresent ? (key.text(253, /^[-._a-zA-Z0-9]+$/) ?? '') : keyDefault,
  };
}

function checkPort(field: Field): CheckedPort {
  const source = field.get('source').integer(1, 65535, undefined);
  return { source, target: field.get('target').integer(1, 65535, source) };
}

function checkSample(field: Field): Pick<CheckedSpec, 'sampleFraction' | 'sampleBy' | 'sampleSeed'> {
  const percent = field.get('percent');
  const fraction = field.get('fraction');
  if (percent.isPresent && fraction.isPresent) field.refuse('takes percent or fraction, not both');
  return {
    sampleFraction: fraction.isPresent ? checkFraction(fraction) : percent.number(0, 100, 100) / 100,
    sampleBy: field.get('by').choice(['Connection', 'Client'], 'Connection') === 'Client' ? 'client' : 'connection',
    sampleSeed: field.get('seed').integer(0, 0xffff_ffff, 0),
  };
}

function checkFraction(field: Field): number {
  const numerator = field.get('numerator').integer(0, 1e9, undefined);
  const denominator = field.get('denominator').integer(1, 1e9, 100);
  if (numerator > denominator) field.refuse('has a numerator above its denominator');
  return Math.min(1, numerator / denominator);
}

function checkClientRanges(field: Field): string[] {
  const mode = field.get('mode').choice(['Preserve', 'Range'], 'Preserve');
  const ranges = field
    .get('cidrs')
    .items(CIDRS_MAX)
    .map((item) => item.text(49, /^[0-9A-Fa-f:.]+\/[0-9]{1,3}$/) ?? '');
  if ((mode === 'Range') !== ranges.length > 0)
    field.refuse('needs cidrs with mode Range, and none with mode Preserve');
  return ranges;
}

function checkDuration(field: Field): number | undefined {
  if (!field.isPresent) return undefined;
  const durationMs = parseDuration(field.value);
  if (durationMs === undefined || durationMs === 0) field.refuse('is no duration like 30m or 2h30m');
  return durationMs;
}

function checkRamp(field: Field): number | undefined {
  if (!field.isPresent) return undefined;
  const rampMs = parseDuration(field.value);
  if (rampMs === undefined) field.refuse('is no duration like 90s or 10m');
  else if (rampMs < RAMP_MS_MIN || rampMs > RAMP_MS_MAX) field.refuse('must be from 1s to 168h (a week)');
  return rampMs;
}

function checkTime(field: Field): number | undefined {
  if (!field.isPresent) return undefined;
  const timeMs = typeof field.value === 'string' ? Date.parse(field.value) : Number.NaN;
  if (Number.isNaN(timeMs)) field.refuse('is no time like 2026-03-01T08:00:00Z');
  return timeMs;
}

type CheckedLimits = Pick<
  CheckedSpec,
  'sessionsMax' | 'heldBytesMax' | 'bytesPerSecondMax' | 'cpuPercentMax' | 'processBytesMax'
>;

function checkLimits(field: Field): CheckedLimits {
  const memory = field.get('memory');
  const bandwidth = field.get('bandwidth');
  const heldBytesMax = parseQuantity(memory.value ?? MEMORY_DEFAULT) ?? 0;
  if (heldBytesMax < MEMORY_BYTES_MIN || heldBytesMax > MEMORY_BYTES_MAX) memory.refuse('must be from 1Mi to 8Gi');
  const bytesPerSecondMax = bandwidth.isPresent ? (parseQuantity(bandwidth.value) ?? 0) : 0;
  if (bandwidth.isPresent && bytesPerSecondMax < BANDWIDTH_MIN) bandwidth.refuse('must be at least 1Ki');
  return {
    sessionsMax: field.get('sessions').integer(1, 1_000_000, SESSIONS_DEFAULT),
    heldBytesMax,
    bytesPerSecondMax,
    cpuPercentMax: checkCpu(field.get('cpu')),
    processBytesMax: checkProcessMemory(field.get('processMemory')),
  };
}

function checkCpu(field: Field): number | undefined {
  if (!field.isPresent) return undefined;
  const millicores = parseMillicores(field.value);
  if (millicores === undefined) field.refuse('is no number of CPUs like 250m, 1 or 1.5');
  else if (millicores < MILLICORES_MIN || millicores > MILLICORES_MAX) field.refuse('must be from 10m to 64');
  return millicores === undefined ? undefined : millicores / 10;
}

function checkProcessMemory(field: Field): number | undefined {
  if (!field.isPresent) return undefined;
  const bytes = parseQuantity(field.value) ?? 0;
  if (bytes < PROCESS_BYTES_MIN || bytes > PROCESS_BYTES_MAX) field.refuse('must be from 128Mi to 64Gi');
  return bytes;
}
