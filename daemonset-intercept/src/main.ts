import { NativeError } from '@trafficcopy/native';
import {
  Authority,
  ChannelError,
  MetricsServer,
  PcapngRecorder,
  PidFile,
  ProgramLog,
  StartError,
  StatusLine,
  StopRequest,
  SummaryFile,
  UnwrittenFiles,
} from '@trafficcopy/runtime';
import { copyCommand } from './channel/copy-command.js';
import { secretCommand, validityText } from './channel/secret-command.js';
import type { InterceptConfig } from './config.js';
import { createInterceptCounters } from './counters.js';
import { Intercept } from './intercept.js';
import type { InterceptFigures } from './intercept-figures.js';
import { interceptStatus, lossText, responseFields } from './intercept-status.js';
import { interceptSummaryJson, interceptSummaryTable } from './intercept-summary.js';
import { NodeIntercept } from './node/node-intercept.js';
import { programMemory } from './program-memory.js';
import { InterceptWorkers } from './workers/intercept-workers.js';

const TICK_MS = 1000;
/** Without a terminal, how often the log says how it goes. */
const PROGRESS_LOG_TICKS = 60;
const TABLE_WIDTH_DEFAULT = 100;

/**
 * `trafficcopy intercept`: serves until a signal or the end of --duration, then restores what it found.
 *
 * @returns the exit code: 0 after an orderly end, 1 when not all that was asked for could be written
 * @throws StartError, RulesError, StateError: it could not start; nothing is left changed
 */
export async function runIntercept(config: InterceptConfig): Promise<number> {
  if (config.newToken) return await printToken(config);
  if (config.revokeTokens) return await revokeTokens(config);
  const statusLine = new StatusLine();
  const log = new ProgramLog({ program: 'intercept', config, statusLine });
  try {
    return await new InterceptProgram(config, log, statusLine).run();
  } catch (error) {
    throw startFailure(error);
  } finally {
    statusLine.close();
    await log.close();
  }
}

/** --new-token: the way in for one more copy of a running intercept, or for all copies of a cluster. */
async function printToken(config: InterceptConfig): Promise<number> {
  const authority = await openAuthority(config);
  const { tokenTtlMs: lifetimeMs, reusable: isReusable } = config;
  const token = await authority.issueToken({ lifetimeMs, isReusable });
  if (isReusable) process.stdout.write(secretCommand(config, token));
  else printCommand(config, token);
  return 0;
}

/** --revoke-tokens */
async function revokeTokens(config: InterceptConfig): Promise<number> {
  const count = await (await openAuthority(config)).revokeTokens();
  process.stdout.write(`${count} ${count === 1 ? 'token was' : 'tokens were'} good until now; none is any more.\n`);
  return 0;
}

async function openAuthority({ stateDirectory }: InterceptConfig): Promise<Authority> {
  return await Authority.open({ directory: stateDirectory, role: 'intercept', name: 'intercept' });
}

function printCommand(config: InterceptConfig, token: string | undefined): void {
  const { text, hint } = copyCommand(config, token);
  const when = token === undefined ? '' : ` (once, within ${validityText(config.tokenTtlMs)})`;
  const lines = [`Run this where the online server is${when}:`, `  ${text}`];
  if (hint !== undefined) lines.push(`  ${hint}`);
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** An intercept of either kind, as the program sees it. */
type RunningIntercept = Intercept | InterceptWorkers | NodeIntercept;

/** The intercept with everything around it that a user sees. */
class InterceptProgram {
  readonly #config: InterceptConfig;
  readonly #log: ProgramLog;
  readonly #statusLine: StatusLine;
  readonly #unwritten: UnwrittenFiles;
  #ticks = 0;

  constructor(config: InterceptConfig, log: ProgramLog, statusLine: StatusLine) {
    this.#config = config;
    this.#log = log;
    this.#statusLine = statusLine;
    this.#unwritten = new UnwrittenFiles(log.logger);
  }

  async run(): Promise<number> {
    const config = this.#config;
    const { logger } = this.#log;
    const summaryFile = config.summaryFile === undefined ? undefined : new SummaryFile(config.summaryFile);
    // From here on a signal ends in order, whatever is being done.
    const stopRequest = new StopRequest({ durationMs: config.durationMs, hasLogFile: config.logFile !== undefined });
    const closers: (() => unknown)[] = [() => stopRequest.close()];
    try {
      const pidFile = config.pidFile === undefined ? undefined : new PidFile(config.pidFile);
      closers.push(() => pidFile?.remove());
      const recorder = this.#openRecorder();
      closers.push(() => recorder?.close());
      let intercept: RunningIntercept | undefined;
      const metricsServer = await this.#serveMetrics(() => intercept);
      closers.push(() => metricsServer?.close());
      try {
        intercept = await this.#open(recorder);
      } catch (error) {
        if (!(await stopRequest.interrupted(error))) throw error;
        logger.info({ reason: stopRequest.reason }, 'ended before it served');
        return 0;
      }
      // They are about what a running intercept does: of one that could not start they would be wrong.
      for (const note of config.notes) logger.warn(note);
      try {
        recorder?.start();
      } catch (error) {
        await intercept.close();
        throw error;
      }
      await this.#serve(intercept, stopRequest, summaryFile);
    } finally {
      for (const close of closers.reverse()) await close();
    }
    const { problem } = this.#unwritten;
    if (problem === undefined) return 0;
    this.#log.sayLast(problem);
    return 1;
  }

  async #open(recorder: PcapngRecorder | undefined): Promise<RunningIntercept> {
    const config = this.#config;
    const { logger } = this.#log;
    if (config.threads > 1) return await InterceptWorkers.open(config, this.#log, this.#onRecordStop);
    return config.node === undefined
      ? await Intercept.open({ config, logger, recorder })
      : await NodeIntercept.open({ config, node: config.node, logger, recorder });
  }

  /** The command for a copy that is started by hand. */
  async #printCommand(intercept: Intercept | InterceptWorkers): Promise<void> {
    const token = await intercept.issueToken();
    printCommand(this.#config, token);
    if (token === undefined) {
      this.#log.logger.warn(
        '--insecure: the channel is plain TCP, and anybody who reaches its port can inject packets here',
      );
    }
  }

  async #serve(
    intercept: RunningIntercept,
    stopRequest: StopRequest,
    summaryFile: SummaryFile | undefined,
  ): Promise<void> {
    const { logger } = this.#log;
    const memory = programMemory();
    let timer: NodeJS.Timeout | undefined;
    let reason = 'failed';
    try {
      if (!(intercept instanceof NodeIntercept)) await this.#printCommand(intercept);
      let before = intercept.figures();
      timer = setInterval(() => {
        before = this.#tick(intercept, before);
      }, TICK_MS);
      memory.start();
      reason = await stopRequest.requested;
    } finally {
      clearInterval(timer);
      memory.stop();
      const figures = await intercept.close();
      this.#statusLine.close();
      logger.info({ reason, ...responseFields(figures), lost: lossText(figures) }, 'ended');
      this.#writeSummary(figures, reason, summaryFile);
    }
  }

  readonly #onRecordStop = (message: string): void => {
    this.#unwritten.add(`--record ${this.#config.recordFile}`, message);
  };

  #openRecorder(): PcapngRecorder | undefined {
    const path = this.#config.recordFile;
    // Workers record for themselves.
    if (path === undefined || this.#config.threads > 1) return undefined;
    return new PcapngRecorder({ path, onStop: this.#onRecordStop });
  }

  async #serveMetrics(intercept: () => RunningIntercept | undefined): Promise<MetricsServer | undefined> {
    const address = this.#config.metrics;
    if (address === undefined) return undefined;
    const { interceptMetrics } = await import('./metrics.js');
    const { registry } = interceptMetrics(() => intercept()?.figures() ?? NO_FIGURES);
    const readiness = (): string | undefined => (intercept() ?? STARTING).unreadyReason();
    const refresh = async (): Promise<void> => {
      const running = intercept();
      if (running instanceof InterceptWorkers) await running.refresh();
    };
    const server = new MetricsServer({ address, registry, readiness, refresh });
    await server.listen();
    return server;
  }

  #tick(intercept: RunningIntercept, before: InterceptFigures): InterceptFigures {
    this.#ticks += 1;
    const isLogged = !this.#statusLine.isTerminal && this.#ticks % PROGRESS_LOG_TICKS === 0;
    if (!this.#statusLine.isTerminal && !isLogged) return before;
    const now = intercept.figures();
    if (isLogged) {
      const { packetsInjected } = now.counters;
      const { copies, flows } = now;
      this.#log.logger.info(
        { copies, flows, packetsInjected, ...responseFields(now), lost: lossText(now) },
        'progress',
      );
    } else {
      this.#statusLine.update(interceptStatus(before, now));
    }
    return now;
  }

  #writeSummary(figures: InterceptFigures, reason: string, file: SummaryFile | undefined): void {
    const width = process.stdout.columns || TABLE_WIDTH_DEFAULT;
    process.stdout.write(`${interceptSummaryTable(figures).render(width)}\n`);
    try {
      file?.write(interceptSummaryJson(figures, reason));
    } catch (error) {
      const name = `--summary ${file?.path}`;
      this.#unwritten.add(name, `${name} could not be written: ${(error as Error).message}`);
    }
  }
}

const STARTING = { unreadyReason: () => 'intercept is starting' };
const NO_FIGURES: InterceptFigures = {
  elapsedMs: 0,
  counters: createInterceptCounters(),
  queue: { packets: 0, queueDropped: 0, userDropped: 0 },
  sendErrors: {},
  flows: 0,
  flowsMax: 0,
  copies: 0,
  podsServing: 0,
  podsNotServing: 0,
  queuedBytes: 0,
  connections: 0,
  peersRefused: 0,
  cpuUserUs: 0,
  cpuSystemUs: 0,
  rssBytes: 0,
  workers: 0,
  workerRestarts: 0,
};

/** What the parts say, as what the program says to its user. */
function startFailure(error: unknown): unknown {
  if (error instanceof NativeError) {
    return new StartError(`ERR_START_${error.code.slice('ERR_'.length)}`, error.message, { cause: error });
  }
  if (error instanceof ChannelError) return new StartError('ERR_START_CHANNEL', error.message, { cause: error });
  return error;
}
