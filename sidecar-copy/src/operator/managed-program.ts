import { randomBytes } from 'node:crypto';
import {
  type ClientCredentials,
  MetricsServer,
  ProgramLog,
  StatusLine,
  StopRequest,
  SummaryFile,
} from '@trafficcopy/runtime';
import { localNetwork } from '../capture/local-network.js';
import type { ManagedConfig } from '../config/managed-config.js';
import { copyEdges } from '../copy-edges.js';
import { lossText } from '../copy-status.js';
import { copySummaryJson } from '../copy-summary.js';
import { endFirstWhenMemoryIsShort } from '../memory-shortage.js';
import { ManagedCopy } from './managed-copy.js';
import { OperatorLink } from './operator-link.js';
import { OutsideCredentials } from './outside-credentials.js';

const TICK_MS = 1000;
const PROGRESS_LOG_TICKS = 60;
/** The reason for an end that the operator wanted. */
const STOP = 'stop';

/**
 * `trafficcopy copy --operator`: runs until the operator ends it, or a signal.
 *
 * @returns the exit code: 0 after an orderly end, 1 when the summary could not be written
 */
export async function runManagedCopy(config: ManagedConfig): Promise<number> {
  const statusLine = new StatusLine();
  const log = new ProgramLog({ program: 'copy', config, statusLine });
  const program = await ManagedProgram.open(config, log);
  const onFault = (error: Error): void => {
    log.logger.fatal({ err: error }, 'internal error: the copy ends, production is not affected');
    log.close();
    process.exit(1);
  };
  process.once('uncaughtException', onFault);
  try {
    return await program.run();
  } finally {
    process.off('uncaughtException', onFault);
    statusLine.close();
    await log.close();
  }
}

/** The copy with the way to its operator and everything around it. */
class ManagedProgram {
  private readonly config: ManagedConfig;
  private readonly log: ProgramLog;
  private readonly copy: ManagedCopy;
  private readonly link: OperatorLink;
  private readonly stopRequest: StopRequest;
  private readonly summaryFile: SummaryFile | undefined;
  private credentials: ClientCredentials | undefined;
  private metricsServer: MetricsServer | undefined;
  private stopMessage = '';
  private ticks = 0;

  static async open(config: ManagedConfig, log: ProgramLog): Promise<ManagedProgram> {
    return new ManagedProgram(config, log, await copyEdges(config));
  }

  private constructor(config: ManagedConfig, log: ProgramLog, edges: Awaited<ReturnType<typeof copyEdges>>) {
    this.config = config;
    this.log = log;
    const { operator, token, basis, summaryFile } = config;
    const { logger } = log;
    const seed = randomBytes(4).readUInt32LE();
    this.summaryFile = summaryFile === undefined ? undefined : new SummaryFile(summaryFile);
    this.stopRequest = new StopRequest({ durationMs: undefined, hasLogFile: config.logFile !== undefined });
    this.copy = new ManagedCopy({
      basis,
      edges,
      logger,
      seed,
      localNetwork,
      // Settings come over a channel that was opened with them.
      credentials: () => this.credentials!,
      outside: new OutsideCredentials({ tokens: config.interceptTokens, name: basis.name }),
    });
    this.link = new OperatorLink({
      operator,
      token,
      name: basis.name,
      instance: seed,
      logger,
      nowMs: () => edges.nowMs(),
      onSettings: (settings) => {
        this.copy.apply(settings);
        this.report();
      },
      onStop: (message) => {
        this.stopMessage = message;
        this.stopRequest.request(STOP);
      },
      onCredentials: (credentials) => {
        this.credentials = credentials;
        this.copy.setCredentials(credentials);
      },
    });
  }

  async run(): Promise<number> {
    let timer: NodeJS.Timeout | undefined;
    try {
      await this.serveMetrics();
      endFirstWhenMemoryIsShort();
      this.link.start();
      timer = setInterval(() => this.tick(), TICK_MS);
      const reason = await this.stopRequest.requested;
      clearInterval(timer);
      return await this.end(reason);
    } finally {
      clearInterval(timer);
      this.stopRequest.close();
      await this.metricsServer?.close();
    }
  }

  /** The port may be the pod's: that is no reason not to copy. */
  private async serveMetrics(): Promise<void> {
    const address = this.config.metrics;
    if (address === undefined) return;
    const { copyMetrics } = await import('../metrics.js');
    const { registry } = copyMetrics(() => this.copy.figures());
    const server = new MetricsServer({ address, registry, readiness: () => this.copy.unreadyReason() });
    try {
      await server.listen();
      this.metricsServer = server;
    } catch (error) {
      this.log.logger.error({ err: error }, (error as Error).message);
    }
  }

  private tick(): void {
    this.copy.tick();
    this.report();
    this.ticks += 1;
    if (this.ticks % PROGRESS_LOG_TICKS === 0) this.logFigures('progress', {});
  }

  private report(): void {
    this.link.report(this.copy.report());
  }

  private async end(reason: string): Promise<number> {
    const report = await this.copy.close();
    this.link.report(report);
    await this.link.close();
    this.logFigures('ended', { reason, ...(reason === STOP ? { message: this.stopMessage } : {}) });
    try {
      this.summaryFile?.write(copySummaryJson(this.copy.figures(), reason));
    } catch (error) {
      this.log.sayLast(`--summary: ${this.summaryFile?.path} could not be written: ${(error as Error).message}`);
      return 1;
    }
    return 0;
  }

  private logFigures(message: string, more: Readonly<Record<string, string>>): void {
    const figures = this.copy.figures();
    const { turnsCaptured, turnsDelivered, turnsPending } = figures.engine;
    const lost = lossText(figures);
    const { sessionsOpen: sessions } = figures;
    this.log.logger.info({ ...more, sessions, turnsCaptured, turnsDelivered, turnsPending, lost }, message);
  }
}
