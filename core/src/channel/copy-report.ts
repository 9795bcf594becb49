import {
  asJsonObject,
  choiceField,
  countField,
  countsField,
  encodeJson,
  itemsField,
  type JsonObject,
  parseJson,
  plainText,
  textField,
  wholeCount,
  wholeCounts,
} from './json-payload.js';

/** copy --STATS--> operator, every second: cumulative figures since the copy's start. */
export interface CopyReport {
  readonly kind: 'copy';
  /** Of the settings in force; 0 before the first. */
  readonly generation: number;
  readonly state: 'waiting' | 'copying' | 'suspended';
  readonly elapsedMs: number;
  readonly connectionsSeen: number;
  readonly sessionsOpen: number;
  readonly sessionsStarted: number;
  readonly turnsCaptured: number;
  readonly turnsDelivered: number;
  readonly turnsAnswered: number;
  readonly turnsPending: number;
  /** By reason. */
  readonly turnsLost: { readonly [reason: string]: number };
  /** Sessions by terminal state. */
  readonly terminal: { readonly [state: string]: number };
  readonly bytesSent: number;
  /** Packets that the capture could not take. */
  readonly captureDrops: number;
  readonly lagMs: number;
  readonly cpuUs: number;
  readonly rssBytes: number;
  /** Connections that began with a TLS handshake, by online port. */
  readonly encrypted: { readonly [port: string]: number };
  readonly endpoints: readonly CopyEndpointReport[];
  /** What keeps it from copying, for people; empty when nothing does. */
  readonly problems: readonly string[];
}

/** Of a copy that has seen nothing and has no settings. */
export const EMPTY_COPY_REPORT: CopyReport = {
  kind: 'copy',
  generation: 0,
  state: 'waiting',
  elapsedMs: 0,
  connectionsSeen: 0,
  sessionsOpen: 0,
  sessionsStarted: 0,
  turnsCaptured: 0,
  turnsDelivered: 0,
  turnsAnswered: 0,
  turnsPending: 0,
  turnsLost: {},
  terminal: {},
  bytesSent: 0,
  captureDrops: 0,
  lagMs: 0,
  cpuUs: 0,
  rssBytes: 0,
  encrypted: {},
  endpoints: [],
  problems: [],
};

export interface CopyEndpointReport {
  /** ADDRESS:PORT of the target. */
  readonly endpoint: string;
  readonly isUp: boolean;
  /** Why the way to its intercept is not up, where that is known. */
  readonly down?: EndpointFault | undefined;
}

export interface EndpointFault {
  /** `token`: there is none to join with, or it cannot be read; `refused`: by the intercept, or it is not the one that the token is of. */
  readonly code: (typeof ENDPOINT_FAULTS)[number];
  /** For people. */
  readonly message: string;
}

const ENDPOINT_FAULTS = ['token', 'refused', 'unreachable'] as const;

/** What a report holds at most; the writer leaves out what is beyond. So it always fits in a frame. */
export const COPY_REPORT_LIMITS = {
  counts: 64,
  encryptedPorts: 64,
  endpoints: 4096,
  faults: 16,
  problems: 16,
} as const;

const ENDPOINT_LENGTH_MAX = 64;
const PROBLEM_LENGTH_MAX = 512;

/** Figures that are counts and nothing else, in the order of the frame. */
const COUNTS = [
  'generation',
  'elapsedMs',
  'connectionsSeen',
  'sessionsOpen',
  'sessionsStarted',
  'turnsCaptured',
  'turnsDelivered',
  'turnsAnswered',
  'turnsPending',
  'bytesSent',
  'captureDrops',
  'lagMs',
  'cpuUs',
  'rssBytes',
] as const satisfies readonly (keyof CopyReport)[];
type Counts = { readonly [name in (typeof COUNTS)[number]]: number };

/** The payload of a STATS frame of a copy. Numbers become whole, texts plain, lists and texts are cut at the limits. */
export function encodeCopyReport(report: CopyReport): Uint8Array {
  const { kind, state } = report;
  const counts: Record<string, number> = {};
  for (const name of COUNTS) counts[name] = wholeCount(report[name]);
  return encodeJson({
    kind,
    state,
    ...counts,
    turnsLost: wholeCounts(report.turnsLost, COPY_REPORT_LIMITS.counts),
    terminal: wholeCounts(report.terminal, COPY_REPORT_LIMITS.counts),
    encrypted: wholeCounts(report.encrypted, COPY_REPORT_LIMITS.encryptedPorts),
    endpoints: plainEndpoints(report.endpoints),
    problems: report.problems
      .slice(0, COPY_REPORT_LIMITS.problems)
      .map((problem) => plainText(problem, PROBLEM_LENGTH_MAX)),
  });
}

function plainEndpoints(endpoints: readonly CopyEndpointReport[]): CopyEndpointReport[] {
  let faults = 0;
  return endpoints.slice(0, COPY_REPORT_LIMITS.endpoints).map(({ endpoint, isUp, down }) => {
    const plain = { endpoint: plainText(endpoint, ENDPOINT_LENGTH_MAX), isUp };
    if (down === undefined || faults === COPY_REPORT_LIMITS.faults) return plain;
    faults += 1;
    return { ...plain, down: { code: down.code, message: plainText(down.message, PROBLEM_LENGTH_MAX) } };
  });
}

/** Undefined when the payload is no report, or goes beyond a limit. */
export function parseCopyReport(
  bytes: Uint8Array,
  offset = 0,
  length: number = bytes.length - offset,
): CopyReport | undefined {
  const object = parseJson(bytes, offset, length);
  if (object?.['kind'] !== 'copy') return undefined;
  const state = choiceField(object, 'state', ['waiting', 'copying', 'suspended'] as const);
  const counts = readCounts(object);
  const turnsLost = countsField(object, 'turnsLost', COPY_REPORT_LIMITS.counts);
  const terminal = countsField(object, 'terminal', COPY_REPORT_LIMITS.counts);
  const encrypted = countsField(object, 'encrypted', COPY_REPORT_LIMITS.encryptedPorts);
  const endpoints = itemsField(object, 'endpoints', COPY_REPORT_LIMITS.endpoints, readEndpoint);
  const problems = itemsField(object, 'problems', COPY_REPORT_LIMITS.problems, readProblem);
  if (!state || !counts || !turnsLost || !terminal || !encrypted || !endpoints || !problems) return undefined;
  return { kind: 'copy', state, ...counts, turnsLost, terminal, encrypted, endpoints, problems };
}

function readCounts(object: JsonObject): Counts | undefined {
  const counts: Partial<Record<(typeof COUNTS)[number], number>> = {};
  for (const name of COUNTS) {
    const count = countField(object, name, Number.MAX_SAFE_INTEGER);
    if (count === undefined) return undefined;
    counts[name] = count;
  }
  return counts as Counts;
}

function readEndpoint(item: unknown): CopyEndpointReport | undefined {
  const object = asJsonObject(item);
  const endpoint = object && textField(object, 'endpoint', ENDPOINT_LENGTH_MAX);
  const isUp = object?.['isUp'];
  if (endpoint === undefined || typeof isUp !== 'boolean') return undefined;
  if (object?.['down'] === undefined) return { endpoint, isUp };
  const down = readFault(asJsonObject(object['down']));
  return down && { endpoint, isUp, down };
}

function readFault(object: JsonObject | undefined): EndpointFault | undefined {
  const code = object && choiceField(object, 'code', ENDPOINT_FAULTS);
  const message = object && textField(object, 'message', PROBLEM_LENGTH_MAX);
  return code === undefined || message === undefined ? undefined : { code, message };
}

function readProblem(item: unknown): string | undefined {
  return textField({ item }, 'item', PROBLEM_LENGTH_MAX);
}
