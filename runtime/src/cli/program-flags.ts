/** The flags that copy and intercept share: what the program tells its user, and how long it runs. */
import type { FlagTable, FlagValues } from './flag.js';
import { choiceValue } from './values/choice-value.js';
import { durationValue } from './values/duration-value.js';
import { type SocketAddress, socketAddressValue } from './values/socket-address-value.js';
import { pathValue } from './values/text-value.js';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The heading under which they stand in `--help`. */
export const REPORTS_GROUP = 'Reports';
export const PROGRAM_GROUP = 'The program';

export const PROGRAM_FLAGS = {
  logFile: {
    kind: 'value',
    short: 'l',
    long: 'log-file',
    argument: 'FILE',
    group: REPORTS_GROUP,
    help: 'Append the log to FILE as JSON lines; SIGHUP opens it anew',
    defaultNote: 'standard error',
    value: pathValue,
  },
  logLevel: {
    kind: 'value',
    long: 'log-level',
    argument: 'LEVEL',
    group: REPORTS_GROUP,
    help: `Log this and what is graver: ${LOG_LEVELS.join(', ')}`,
    default: 'info',
    value: choiceValue(LOG_LEVELS),
  },
  metrics: {
    kind: 'value',
    long: 'metrics',
    argument: '[HOST:]PORT',
    group: REPORTS_GROUP,
    help: 'Serve /metrics (Prometheus), /healthz and /readyz; without HOST on 127.0.0.1 only, 0.0.0.0:PORT or [::]:PORT for all',
    value: socketAddressValue('[HOST:]PORT, like 9100, 0.0.0.0:9100 or [::]:9100', { defaultHost: '127.0.0.1' }),
  },
  summaryFile: {
    kind: 'value',
    long: 'summary',
    argument: 'FILE.json',
    group: REPORTS_GROUP,
    help: 'Write the final figures to FILE.json',
    value: pathValue,
  },
  recordFile: {
    kind: 'value',
    long: 'record',
    argument: 'FILE.pcapng',
    group: REPORTS_GROUP,
    help: 'Record what was sent and answered, for Wireshark; the file holds the copied payload',
    value: pathValue,
  },
  durationMs: {
    kind: 'value',
    long: 'duration',
    argument: 'TIME',
    group: PROGRAM_GROUP,
    help: 'End after TIME (90s, 15m, 2h; a plain number is in seconds)',
    specName: 'duration',
    defaultNote: 'run until SIGINT or SIGTERM',
    value: durationValue(1000, 366 * 86_400_000),
  },
  configFile: {
    kind: 'value',
    long: 'config',
    argument: 'FILE.yaml',
    group: PROGRAM_GROUP,
    help: 'Take from FILE what is not given here: long names of flags as keys, in camel case if you like, or the names of TrafficCopy.spec; of several files the later one counts',
    isLineOnly: true,
    isConfigFile: true,
    value: pathValue,
  },
  check: {
    kind: 'switch',
    long: 'check',
    group: PROGRAM_GROUP,
    help: 'Only say whether flags and configuration file are right, and end',
    isLineOnly: true,
  },
  pidFile: {
    kind: 'value',
    short: 'P',
    long: 'pid-file',
    argument: 'FILE',
    group: PROGRAM_GROUP,
    help: 'Write the process id to FILE and remove it at the end',
    value: pathValue,
  },
} as const satisfies FlagTable;

/** What of the configuration both programs share. Undefined: not wanted. */
export interface ProgramConfig {
  readonly logFile: string | undefined;
  readonly logLevel: LogLevel;
  readonly metrics: SocketAddress | undefined;
  readonly summaryFile: string | undefined;
  readonly recordFile: string | undefined;
  readonly durationMs: number | undefined;
  readonly pidFile: string | undefined;
  /** For the log, once, at the start: what of the command line has no effect, and why. */
  readonly notes: readonly string[];
}

/** The shared part of a configuration. */
export function programConfig(values: FlagValues<typeof PROGRAM_FLAGS>, notes: readonly string[]): ProgramConfig {
  const { logFile, logLevel, metrics, summaryFile, recordFile, durationMs, pidFile } = values;
  return { logFile, logLevel, metrics, summaryFile, recordFile, durationMs, pidFile, notes };
}
