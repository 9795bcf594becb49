import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { copyAccount } from './copy-account.js';
import { eventually } from './deadline.js';
import { LabError } from './lab-error.js';
import type { LabHost } from './lab-host.js';
import type { LabProcess, ProcessEnd } from './lab-process.js';

/** The command under test, as it is in the checkout. */
export const TRAFFIC_COPY = fileURLToPath(new URL('../../../bin/trafficcopy', import.meta.url));

const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 20_000;

export interface RunOptions {
  /** Further words of the command line. */
  readonly flags?: readonly string[] | undefined;
  /** Distinguishes several of a kind in one host. */
  readonly name?: string | undefined;
  readonly isEchoed?: boolean | undefined;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Wait until it says that it is ready (default). */
  readonly waitReady?: boolean | undefined;
  /** Its standard input; default: nothing. */
  readonly stdinFile?: string | undefined;
  /** It has none of root's capabilities. */
  readonly isUnprivileged?: boolean | undefined;
}

export interface InterceptOptions extends RunOptions {
  /** Channel port, default 36524. */
  readonly port?: number | undefined;
  readonly insecure?: boolean | undefined;
  /** Use the state directory of the run with this name again. */
  readonly stateOf?: string | undefined;
}

export interface CopyOptions extends RunOptions {
  readonly map: string;
  /** Host[:port] of intercept; default: the target's own address and 36524. */
  readonly intercept?: string | undefined;
  /** A word for --join; `insecure` for plain TCP; undefined: the state directory holds a certificate. */
  readonly join: string | undefined;
  readonly delivery?: 'tunnel' | 'direct' | undefined;
  readonly stateOf?: string | undefined;
}

/** Figures of a program at its end, as `--summary` writes them. */
export type Summary = Readonly<Record<string, unknown>>;

/** What tests read of a copy's summary. */
export interface CopySummary {
  readonly turns: {
    readonly captured: number;
    readonly delivered: number;
    readonly answered: number;
    readonly pending: number;
    readonly lost: number;
    readonly lostByReason: Readonly<Record<string, number>>;
    readonly beforeJoin: number;
  };
  readonly engine: {
    readonly connectionsSeen: number;
    readonly sessionsStarted: number;
    readonly sessionsResumed: number;
    readonly segmentsRetransmitted: number;
    readonly lossProbes: number;
    readonly packetsSent: number;
    readonly terminal: Readonly<Record<string, number>>;
  };
  readonly capture: { readonly drops: number };
  readonly cpu: { readonly usPerTurn: number };
}

let metricsPort = 19_100;

/** A running `trafficcopy copy` or `trafficcopy intercept`, started by its command and observed from outside. */
export class TrafficCopy {
  readonly host: LabHost;
  readonly process: LabProcess;
  readonly summaryFile: string;
  readonly stateDirectory: string;
  readonly #metricsAddress: string;

  private constructor(
    host: LabHost,
    process: LabProcess,
    name: string,
    stateDirectory: string,
    metricsAddress: string,
  ) {
    this.host = host;
    this.process = process;
    this.summaryFile = summaryFileOf(host, name);
    this.stateDirectory = stateDirectory;
    this.#metricsAddress = metricsAddress;
  }

  static async intercept(host: LabHost, options: InterceptOptions = {}): Promise<TrafficCopy> {
    const words = [];
    if (options.port !== undefined) words.push('-p', String(options.port));
    if (options.insecure === true) words.push('--insecure');
    return TrafficCopy.#start(host, 'intercept', options, words);
  }

  static async copy(host: LabHost, options: CopyOptions): Promise<TrafficCopy> {
    const words = ['-x', options.map, '--delivery', options.delivery ?? 'tunnel'];
    if (options.intercept !== undefined) words.push('-s', options.intercept);
    if (options.join === 'insecure') words.push('--insecure');
    else if (options.join !== undefined) words.push('--join', options.join);
    return TrafficCopy.#start(host, 'copy', options, words);
  }

  /** Starts a copy with the words of a whole command line after `copy`, as intercept prints it. */
  static async copyAs(host: LabHost, words: readonly string[], options: RunOptions = {}): Promise<TrafficCopy> {
    return TrafficCopy.#start(host, 'copy', options, words);
  }

  static async #start(
    host: LabHost,
    command: 'copy' | 'intercept',
    options: RunOptions & { readonly stateOf?: string | undefined },
    words: readonly string[],
  ): Promise<TrafficCopy> {
    const name = options.name ?? command;
    const stateDirectory = join(host.directory, `state-${options.stateOf ?? name}`);
    mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
    metricsPort += 1;
    const metricsAddress = `127.0.0.1:${metricsPort}`;
    const { stdinFile, isUnprivileged } = options;
    const before = [
      ...(stdinFile === undefined ? [] : ['sh', '-c', 'exec "$@" <"$0"', stdinFile]),
      ...(isUnprivileged === true ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] : []),
    ];
    const [program = '', ...first] = [...before, TRAFFIC_COPY];
    const started = await host.start(
      name,
      program,
      [
        ...first,
        ...[command, ...words, '--state', stateDirectory, '--metrics', metricsAddress],
        ...['--summary', summaryFileOf(host, name), ...(options.flags ?? [])],
      ],
      { isEchoed: options.isEchoed, env: options.env },
    );
    const run = new TrafficCopy(host, started, name, stateDirectory, metricsAddress);
    if (options.waitReady ?? true) await run.ready();
    return run;
  }

  /** Waits until /readyz agrees. */
  async ready(timeoutMs = READY_TIMEOUT_MS): Promise<void> {
    const state = await eventually(`${this.process.name} is ready`, timeoutMs, async () => {
      if (!this.process.isRunning) return 'ended';
      return (await this.#get('/readyz')) !== undefined && 'ready';
    });
    if (state === 'ended') {
      throw new LabError(
        'ERR_LAB_PROCESS',
        `${this.process.name} ended at its start; it said:\n${this.process.tail()}`,
      );
    }
  }

  /** The copy command that intercept prints for a newcomer, as words without the shell's quotes. */
  async joinCommand(): Promise<string[]> {
    const [line] = await this.process.waitForLine(/trafficcopy copy .*--join.*/);
    return wordsOf(line);
  }

  /** The one-time token of the printed command. */
  async joinToken(): Promise<string> {
    return this.#tokenOf(await this.joinCommand());
  }

  /** A token for one more copy, from `intercept --new-token`. */
  async newToken(): Promise<string> {
    const printed = await this.host.expect(TRAFFIC_COPY, ['intercept', '--new-token', '--state', this.stateDirectory]);
    const line = printed.split('\n').find((candidate) => candidate.includes('--join')) ?? '';
    return this.#tokenOf(wordsOf(line));
  }

  #tokenOf(words: readonly string[]): string {
    const token = words[words.indexOf('--join') + 1] ?? words.find((word) => word.startsWith('--join='))?.slice(7);
    if (token === undefined) throw new LabError('ERR_LAB_PROCESS', `no token in: ${words.join(' ')}`);
    return token;
  }

  /** Every sample of /metrics by its name with labels, "trafficcopy_turns_lost_total{reason=\"shed\"}". */
  async metrics(): Promise<Map<string, number>> {
    const text = await this.#get('/metrics');
    if (text === undefined) throw new LabError('ERR_LAB_PROCESS', `${this.process.name} serves no metrics`);
    const samples = new Map<string, number>();
    for (const line of text.split('\n')) {
      if (line === '' || line.startsWith('#')) continue;
      const space = line.lastIndexOf(' ');
      samples.set(line.slice(0, space), Number(line.slice(space + 1)));
    }
    return samples;
  }

  /** The sum of a metric over its labels; 0 when it has no sample. */
  async metric(name: string): Promise<number> {
    let sum = 0;
    for (const [sample, value] of await this.metrics()) {
      if (sample === name || sample.startsWith(`${name}{`)) sum += value;
    }
    return sum;
  }

  /** Waits until the sum of a metric has grown to `least`. */
  async waitForMetric(name: string, least: number, timeoutMs = 20_000): Promise<void> {
    await eventually(`${this.process.name}: ${name} reaches ${least}`, timeoutMs, async () => {
      return (await this.metric(name)) >= least;
    });
  }

  /** Waits until every turn that a copy captured has been delivered or given up, and no new one comes. */
  async quiet(timeoutMs = 20_000): Promise<void> {
    let before = '';
    const isStill = async (): Promise<boolean> => {
      const pending = await this.metric('trafficcopy_copy_turns_pending');
      const now = String(await this.metric('trafficcopy_copy_captured_packets_total'));
      const isSame = now === before;
      before = now;
      return isSame && pending === 0;
    };
    await eventually(`${this.process.name} has no turns pending`, timeoutMs, isStill, () => this.#account());
  }

  /** Waits until every session of a copy has ended; its clients must have closed their connections. */
  async idle(timeoutMs = 20_000): Promise<void> {
    const isIdle = async (): Promise<boolean> => (await this.metric('trafficcopy_copy_sessions')) === 0;
    await eventually(`${this.process.name} has no session open`, timeoutMs, isIdle, () => this.#account());
  }

  async #account(): Promise<string> {
    const sockets = await this.host.run('sh', ['-c', "ss -Htan | awk '{print $1}' | sort | uniq -c | xargs echo"]);
    return `${copyAccount(await this.metrics())}\nsockets of ${this.host.name}: ${sockets.stdout.trim()}`;
  }

  /** Ends it as a user does and reads its summary; throws when it ends with another exit code than `status`. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', { status = 0 } = {}): Promise<Summary> {
    const end: ProcessEnd = await this.process.stop(signal, STOP_TIMEOUT_MS);
    if (end.status !== status) {
      throw new LabError(
        'ERR_LAB_PROCESS',
        `${this.process.name} ended with ${end.signal ?? `status ${end.status}`}; it said:\n${this.process.tail()}`,
      );
    }
    return this.summary();
  }

  summary(): Summary {
    if (!existsSync(this.summaryFile)) {
      throw new LabError('ERR_LAB_PROCESS', `${this.process.name} wrote no summary; it said:\n${this.process.tail()}`);
    }
    return JSON.parse(readFileSync(this.summaryFile, 'utf8')) as Summary;
  }

  async #get(path: string): Promise<string | undefined> {
    const { status, stdout } = await this.host.run('curl', ['-sf', '-m', '5', `http://${this.#metricsAddress}${path}`]);
    return status === 0 ? stdout : undefined;
  }
}

/** Words of a printed command line, without the shell's quotes. */
function wordsOf(line: string): string[] {
  return line
    .trim()
    .split(/\s+/)
    .map((word) => word.replace(/^['"](.*)['"]$/, '$1'));
}

function summaryFileOf(host: LabHost, name: string): string {
  return join(host.directory, `summary-${name}.json`);
}
