import { randomBytes } from 'node:crypto';
import {
  MetricsServer,
  PcapngRecorder,
  PidFile,
  ProgramLog,
  StatusLine,
  StopRequest,
  SummaryFile,
  UnwrittenFiles,
  VERSION,
  WholeFile,
} from '@trafficcopy/runtime';
import { localNetwork } from './capture/local-network.js';
import { SilenceNotice } from './capture/silence-notice.js';
import { LaneCredentials } from './channel/lane-credentials.js';
import { DifferenceFile } from './compare/difference-file.js';
import { hostPlan } from './config/host-plan.js';
import type { CopyConfig } from './config.js';
import { limitsFor, socketLimit } from './connect/socket-limit.js';
import { Copy } from './copy.js';
import { type CopyEdges, copyEdges } from './copy-edges.js';
import type { CopyFigures } from './copy-figures.js';
import { copyStatus, lossText, progressFields } from './copy-status.js';
import { copySummaryJson, copySummaryTable } from './copy-summary.js';
import { loginConfig } from './logins/login-config.js';
import { endFirstWhenMemoryIsShort } from './memory-shortage.js';
import { offlineProgress } from './offline/offline-figures.js';
import type { OfflineReplay } from './offline/offline-replay.js';
import { openReplay } from './offline/open-replay.js';
import type { LoadFigures, LoadReport } from './report/load-report.js';
import { runProblem } from './run-problem.js';
import { startFailure } from './start-failure.js';
import { SessionTraces } from './trace/session-traces.js';
import { CopyWorkers } from './workers/copy-workers.js';

const TICK_MS = 1000;
/** Without a terminal, how often the log says how it goes. */
const PROGRESS_LOG_TICKS = 60;
const TABLE_WIDTH_DEFAULT = 100;

/**
 * `trafficcopy copy`: runs until a signal, the end of --duration, or a refusal that only a person can mend.
 *
 * @returns the exit code: 0 after an orderly end; 1 when an intercept refused us for good, a replay delivered nothing, or not all that was asked
 *   for could be written
 * @throws UsageError, StartError: it could not start, and nothing is left behind
 */
export async function runCopy(config: CopyConfig): Promise<number> {
  const statusLine = new StatusLine();
  const log = new ProgramLog({ program: 'copy', config, statusLine });
  try {
    const program = await CopyProgram.open(config, log, statusLine);
    if (program === undefined) return 0;
    const onFault = (error: Error): void => program.fault(error);
    process.once('uncaughtException', onFault);
    try {
      return await program.run();
    } finally {
      process.off('uncaughtException', onFault);
    }
  } finally {
    statusLine.close();
    await log.close();
  }
}

/** The copy with everything around it that a user sees. */
class CopyProgram {
  private readonly config: CopyConfig;
  private readonly log: ProgramLog;
  private readonly statusLine: StatusLine;
  private readonly copy: Copy | CopyWorkers;
  private readonly replay: OfflineReplay | undefined;
  private readonly recorder: PcapngRecorder | undefined;
  private readonly differenceFile: DifferenceFile | undefined;
  private readonly summaryFile: SummaryFile | undefined;
  private readonly reportFile: WholeFile | undefined;
  private readonly pidFile: PidFile | undefined;
  private readonly unwritten: UnwrittenFiles;
  private readonly edges: CopyEdges;
  private readonly load: LoadReport | undefined;
  private readonly stopRequest: StopRequest;
  private metricsServer: MetricsServer | undefined;
  private traces: SessionTraces | undefined;
  private fatal: Error | undefined;
  /** Of a live capture. */
  private readonly silence: SilenceNotice | undefined;
  private before: CopyFigures;
  private ticks = 0;

  /** Undefined: it was to end before it had begun, and has. */
  static async open(given: CopyConfig, log: ProgramLog, statusLine: StatusLine): Promise<CopyProgram | undefined> {
    let program: CopyProgram | undefined;
    const opened: { close(): unknown }[] = [];
    const whole = loginConfig(given);
    const config = whole.connect ? { ...whole, limits: limitsFor(whole.limits, socketLimit()) } : whole;
    try {
      const credentials = new LaneCredentials(config, log.logger);
      if (!config.connect) await credentials.check();
      const edges = await copyEdges(config);
      const replay = await openReplay(config, edges, log.logger);
      const load = await loadReport(config, edges);
      program = new CopyProgram(config, log, statusLine, edges, replay, load, credentials, opened);
      if (program.copy instanceof CopyWorkers) await program.copy.open();
      return program;
    } catch (error) {
      for (const one of opened) one.close();
      if (program !== undefined && (await program.stopRequest.interrupted(error))) {
        log.logger.info({ reason: program.stopRequest.reason }, 'ended before anything was copied');
        return undefined;
      }
      throw startFailure(error);
    }
  }

  private constructor(
    config: CopyConfig,
    log: ProgramLog,
    statusLine: StatusLine,
    edges: CopyEdges,
    replay: OfflineReplay | undefined,
    load: LoadReport | undefined,
    credentials: LaneCredentials,
    opened: { close(): unknown }[],
  ) {
    this.config = config;
    this.log = log;
    this.statusLine = statusLine;
    this.edges = edges;
    this.load = load;
    const { logger } = log;
    for (const note of config.notes) logger.warn(note);
    this.unwritten = new UnwrittenFiles(logger);
    this.summaryFile = config.summaryFile === undefined ? undefined : new SummaryFile(config.summaryFile);
    this.reportFile = reportFile(config);
    const isOne = config.threads === 1;
    // Workers record for themselves.
    if (config.recordFile !== undefined && isOne) {
      this.recorder = new PcapngRecorder({
        path: config.recordFile,
        onStop: (message) => this.unwritten.add(`--record ${config.recordFile}`, message),
      });
      opened.push(this.recorder);
    }
    if (config.compare !== undefined) {
      const { file: path } = config.compare;
      this.differenceFile = new DifferenceFile({
        path,
        onStop: (message) => this.unwritten.add(`--compare ${path}`, message),
      });
      opened.push(this.differenceFile);
    }
    const seed = randomBytes(4).readUInt32LE();
    const onFatal = (error: Error): void => {
      this.fatal = error;
      this.stopRequest.request('refused');
    };
    this.copy = isOne
      ? new Copy({
          basis: config,
          plan: hostPlan(config),
          edges: replay === undefined ? edges : { ...edges, openSource: ({ filter }) => replay.openAs(filter) },
          logger,
          recorder: this.recorder,
          seed,
          meterFor: load?.meterFor,
          // What a file holds has nothing to do with this host's addresses.
          localNetwork: replay === undefined ? localNetwork : () => ({ addresses: [], wires: [] }),
          identity: {
            credentials: (intercept) => credentials.get(intercept),
            onRenewed: (intercept, renewed) => credentials.keep(intercept, renewed),
            isManaged: false,
          },
          onFatal,
        })
      : new CopyWorkers({
          config,
          log,
          credentials,
          seed,
          load,
          onRecordStop: (message) => this.unwritten.add(`--record ${config.recordFile}`, message),
          onFatal,
        });
    opened.push(this.copy);
    if (this.copy instanceof Copy) replay?.feed(this.copy, () => this.stopRequest.request('complete'));
    this.pidFile = config.pidFile === undefined ? undefined : new PidFile(config.pidFile);
    opened.push({ close: () => this.pidFile?.remove() });
    this.stopRequest = new StopRequest({ durationMs: config.durationMs, hasLogFile: config.logFile !== undefined });
    this.replay = replay;
    this.silence = replay === undefined ? new SilenceNotice(config) : undefined;
    this.before = this.figures();
  }

  private figures(): CopyFigures {
    return { ...this.copy.figures(), offline: this.replay?.figures() };
  }

  async run(): Promise<number> {
    let timer: NodeJS.Timeout | undefined;
    try {
      await this.makeReady();
      endFirstWhenMemoryIsShort();
      if (this.config.insecure) this.log.logger.warn('--insecure: the channel to intercept is plain TCP');
      if (this.copy instanceof Copy) {
        const { trace, stateDirectory, connect: isStateless } = this.config;
        const { tracer } = this.copy;
        const { logger } = this.log;
        this.traces = await SessionTraces.open({
          trace,
          stateDirectory,
          tracer,
          logger,
          isStateless,
          nowMs: () => this.edges.nowMs(),
        });
      }
      this.copy.start();
      timer = setInterval(() => this.tick(), TICK_MS);
      const reason = await this.stopRequest.requested;
      return await this.end(reason);
    } finally {
      clearInterval(timer);
      this.stopRequest.close();
      this.pidFile?.remove();
      this.traces?.close();
      await this.metricsServer?.close();
    }
  }

  /** A fault of our own. Ending is safe at any moment; going on with a state that nobody knows is not. */
  fault(error: Error): void {
    this.statusLine.close();
    this.log.logger.fatal({ err: error }, 'internal error: the copy ends, production is not affected');
    this.traces?.close();
    this.pidFile?.remove();
    this.log.close();
    if (this.copy instanceof CopyWorkers) this.copy.kill();
    process.exit(1);
  }

  /** The last that can fail. An earlier recording is emptied only behind all of it. */
  private async makeReady(): Promise<void> {
    try {
      this.metricsServer = await this.serveMetrics();
      this.recorder?.start();
      this.differenceFile?.start();
    } catch (error) {
      await this.copy.close();
      await this.recorder?.close();
      await this.differenceFile?.close();
      throw error;
    }
  }

  private async serveMetrics(): Promise<MetricsServer | undefined> {
    const address = this.config.metrics;
    if (address === undefined) return undefined;
    const { copyMetrics } = await import('./metrics.js');
    const { registry } = copyMetrics(() => this.figures());
    const server = new MetricsServer({
      address,
      registry,
      readiness: () => this.copy.unreadyReason(),
      refresh: this.refresh,
    });
    await server.listen();
    return server;
  }

  private readonly refresh = async (): Promise<void> => {
    if (this.copy instanceof CopyWorkers) await this.copy.refresh();
  };

  private tick(): void {
    this.copy.tick();
    this.writeDifferences();
    const silence = this.silence?.check(() => this.copy.figures());
    if (silence !== undefined) this.log.logger.info(silence);
    this.ticks += 1;
    const isLogged = !this.statusLine.isTerminal && this.ticks % PROGRESS_LOG_TICKS === 0;
    if (!this.statusLine.isTerminal && !isLogged) return;
    const now = this.figures();
    if (isLogged) this.logProgress(now);
    else this.statusLine.update(copyStatus(this.before, now));
    this.before = now;
  }

  private writeDifferences(): void {
    if (this.differenceFile === undefined || !(this.copy instanceof Copy)) return;
    this.differenceFile.append(this.copy.takeDifferences(), Date.now());
  }

  private logProgress(now: CopyFigures): void {
    this.log.logger.info(
      {
        ...progressFields(now),
        lost: lossText(now),
        lagMs: Math.round(now.lagMs),
        ...(now.offline === undefined ? {} : offlineProgress(now.offline)),
      },
      'progress',
    );
  }

  private async end(reason: string): Promise<number> {
    const offline = this.replay?.figures();
    const figures = { ...(await this.copy.close()), offline };
    await this.recorder?.close();
    this.writeDifferences();
    await this.differenceFile?.close(figures.comparison);
    this.statusLine.close();
    if (this.fatal !== undefined) this.log.logger.fatal({ err: this.fatal }, this.fatal.message);
    const { turnsCaptured, turnsDelivered, datagrams } = figures.engine;
    const done =
      figures.udp === true
        ? { datagramsCaptured: datagrams.captured, datagramsDelivered: datagrams.delivered }
        : { turnsCaptured, turnsDelivered };
    this.log.logger.info({ reason, ...done, lost: lossText(figures) }, 'ended');
    if (this.fatal === undefined || figures.elapsedMs > 0) await this.writeSummary(figures, reason);
    const problems = [runProblem(figures, reason, this.replay?.unwanted), this.unwritten.problem].filter(
      (problem) => problem !== undefined,
    );
    for (const problem of problems) this.log.sayLast(problem);
    return this.fatal === undefined && problems.length === 0 ? 0 : 1;
  }

  private async writeSummary(figures: CopyFigures, reason: string): Promise<void> {
    const load = this.load?.figures();
    const table = copySummaryTable(figures, load);
    process.stdout.write(`${table.render(process.stdout.columns || TABLE_WIDTH_DEFAULT)}\n`);
    try {
      this.summaryFile?.write(copySummaryJson(figures, reason, load));
    } catch (error) {
      this.notWritten(`--summary ${this.config.summaryFile}`, error);
    }
    if (load !== undefined) await this.writeReport(load, figures, reason);
  }

  private notWritten(file: string, error: unknown): void {
    this.unwritten.add(file, `${file} could not be written: ${(error as Error).message}`);
  }

  private async writeReport(load: LoadFigures, { elapsedMs }: CopyFigures, endReason: string): Promise<void> {
    if (this.reportFile === undefined) return;
    const { delivery, connect, wait } = this.config;
    const isTakenAtTarget = delivery === 'tunnel' && !connect;
    try {
      const { reportPage } = await import('./report/report-page.js');
      this.reportFile.writeText(reportPage(load, { version: VERSION, isTakenAtTarget, wait, elapsedMs, endReason }));
    } catch (error) {
      this.notWritten(`--report ${this.config.reportFile}`, error);
    }
  }
}

/** Undefined: nothing is measured. */
async function loadReport({ measures, threads }: CopyConfig, edges: CopyEdges): Promise<LoadReport | undefined> {
  if (!measures) return undefined;
  const { LoadReport } = await import('./report/load-report.js');
  // The clock of workers begins with them.
  return new LoadReport(Date.now() - (threads === 1 ? edges.nowMs() : 0));
}

/** @throws StartError ERR_START_REPORT_FILE */
function reportFile({ reportFile: path }: CopyConfig): WholeFile | undefined {
  return path === undefined ? undefined : new WholeFile(path, '--report', 'ERR_START_REPORT_FILE');
}
