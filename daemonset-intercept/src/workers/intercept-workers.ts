import net, { type Socket } from 'node:net';
import { formatIpAddress, type JoinRequest } from '@trafficcopy/core';
import {
  Authority,
  fileOfWorker,
  listenError,
  type PeerIdentity,
  type ProgramLog,
  remoteText,
  type ServerCredentials,
  WorkerPool,
} from '@trafficcopy/runtime';
import { requireCapabilities } from '../capabilities.js';
import { hostOf } from '../channel/copy-key.js';
import type { InterceptConfig } from '../config.js';
import type { InterceptFigures } from '../intercept-figures.js';
import { INTERCEPT_LIMITS_DEFAULT } from '../limits.js';
import type { WorkerSlot } from '../rules/worker-slot.js';
import { CopyDirectory } from './copy-directory.js';
import { shareOfLimits } from './intercept-share.js';
import { closedFigures, interceptTotals, type WorkerTotals } from './intercept-totals.js';
import type { CopyNotice, InterceptWorkerSettings, SocketNote } from './intercept-worker.js';
import { WorkerRules } from './worker-rules.js';

const INTERCEPT_WORKER = new URL('./intercept-worker.js', import.meta.url);
const REPORT_MS_MAX = 1000;
/** A Direct copy that does not know of the end is outlasted for 16 s. */
const CLOSE_MS_MAX = 25_000;
const HOLD_MS = 1000;

/**
 * An intercept with --threads, as the program sees it: it has the port, the authority and the rules; what a copy sends is a worker's, from the TCP
 * connection on.
 */
export class InterceptWorkers {
  readonly #config: InterceptConfig;
  readonly #log: ProgramLog;
  readonly #limits = INTERCEPT_LIMITS_DEFAULT;
  readonly #startedMs = nowMs();
  readonly #cpuAtStart = process.cpuUsage();
  readonly #directory: CopyDirectory;
  readonly #pool: WorkerPool;
  readonly #server = net.createServer({ pauseOnConnect: true });
  #authority: Authority | undefined;
  #credentials: ServerCredentials | 'insecure' = 'insecure';
  #rules: WorkerRules | undefined;
  #holdTimer: NodeJS.Timeout | undefined;
  /** Of the workers that run: what each said last. */
  readonly #reports: (InterceptFigures | undefined)[];
  /** Of those that died. */
  #closed: WorkerTotals = interceptTotals([]);
  #isServing = false;

  private constructor(config: InterceptConfig, log: ProgramLog, onRecordStop: (message: string) => void) {
    this.#config = config;
    this.#log = log;
    this.#directory = new CopyDirectory(config.threads, this.#limits.graceMs);
    this.#reports = new Array<undefined>(config.threads).fill(undefined);
    this.#pool = new WorkerPool({
      module: INTERCEPT_WORKER,
      workers: config.threads,
      log,
      settings: (worker) => this.#settings(worker),
      handlers: {
        report: (worker, figures: InterceptFigures | undefined) => this.#reported(worker, figures),
        join: (_worker, { request }: { request: JoinRequest }) => this.#authority!.join(request),
        renew: (_worker, { identity, request }: { identity: PeerIdentity; request: string }) =>
          this.#authority!.renew(identity, request),
        serverCredentials: async () => {
          this.#credentials = await this.#authority!.serverCredentials();
          return this.#credentials;
        },
        recordStop: (_worker, message: string) => onRecordStop(message),
        connected: (worker, { key, host, program }: CopyNotice) =>
          this.#directory.connected(key, host, worker, program),
        disconnected: (worker, { key }: CopyNotice) => this.#directory.disconnected(key, worker, nowMs()),
        sentAway: (_worker, { key, host, to }: CopyNotice & { to: number }) =>
          this.#directory.sentAway(key, host, to, nowMs()),
      },
      onUp: () => {},
      onDeath: (worker) => this.#died(worker),
    });
  }

  /**
   * Listens, starts the workers, puts the rules in place, and serves.
   *
   * @param onRecordStop the recording of a worker has ended before its time; with a message for the user
   * @throws ChannelError, NativeError, RulesError, StartError, StateError: everything is then as it was found.
   */
  static async open(
    config: InterceptConfig,
    log: ProgramLog,
    onRecordStop: (message: string) => void,
  ): Promise<InterceptWorkers> {
    requireCapabilities(config.netnsPath === undefined ? 'here' : 'netns');
    const intercept = new InterceptWorkers(config, log, onRecordStop);
    try {
      await intercept.#open();
      return intercept;
    } catch (error) {
      intercept.#server.close();
      intercept.#pool.kill();
      throw error;
    }
  }

  /** Issues a token for one more copy. Undefined with --insecure. */
  async issueToken(): Promise<string | undefined> {
    return await this.#authority?.issueToken({ lifetimeMs: this.#config.tokenTtlMs });
  }

  /** What /readyz says: undefined while all workers serve. */
  unreadyReason(): string | undefined {
    const missing = this.#reports.findIndex((_report, worker) => !this.#pool.isUp(worker));
    return missing < 0 ? undefined : `worker ${missing} does not run`;
  }

  figures(): InterceptFigures {
    return this.#figures(this.#reports.filter((report) => report !== undefined));
  }

  /** Asks the workers how it goes. */
  async refresh(): Promise<void> {
    for (const [worker, figures] of await this.#pool.askAll<InterceptFigures | undefined>('report', REPORT_MS_MAX)) {
      this.#reported(worker, figures);
    }
  }

  /** Resets what copies left at the target, ends the workers, restores what was found. Returns the last figures. */
  async close(): Promise<InterceptFigures> {
    this.#isServing = false;
    this.#server.close();
    clearInterval(this.#holdTimer);
    this.#pool.beginEnd();
    const answers = new Map(await this.#pool.askAll<InterceptFigures | undefined>('close', CLOSE_MS_MAX));
    await this.#pool.end();
    try {
      await this.#rules?.restore();
    } catch (error) {
      this.#log.logger.error({ err: error }, 'could not be undone');
    }
    const last = this.#reports.map((report, worker) => answers.get(worker) ?? (report && closedFigures(report)));
    return this.#figures(last.filter((figures) => figures !== undefined));
  }

  async #open(): Promise<void> {
    const config = this.#config;
    const { logger } = this.#log;
    if (!config.insecure) {
      this.#authority = await Authority.open({
        directory: config.stateDirectory,
        role: 'intercept',
        name: 'intercept',
      });
      this.#credentials = await this.#authority.serverCredentials();
    }
    await this.#listen();
    await this.#pool.open();
    this.#rules = await WorkerRules.install(config, logger, (worker, slot) =>
      this.#pool.ask<boolean>(worker, 'enter', slot),
    );
    this.#holdTimer = setInterval(() => this.#rules?.hold(), HOLD_MS);
    this.#isServing = true;
    const queueNumbers = this.#rules.slots.map(({ queueNumber }) => queueNumber);
    logger.info(
      { port: config.port, queueNumbers, iptables: this.#rules.kind, instance: config.instance },
      'intercept serves',
    );
  }

  async #listen(): Promise<void> {
    const { port, bindAddress } = this.#config;
    const host = bindAddress === undefined ? undefined : formatIpAddress(bindAddress);
    const server = this.#server;
    server.on('connection', (socket) => this.#accept(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(host, port, error)));
      server.listen({ port, ...(host === undefined ? {} : { host }) }, resolve);
    });
    server.removeAllListeners('error');
    server.on('error', (error) => this.#log.logger.error({ err: error }, 'the channel has a fault'));
  }

  /** Nothing of it is read here: what it says is the worker's business. */
  #accept(socket: Socket): void {
    socket.on('error', () => {});
    const host = hostOf(remoteText(socket));
    const worker = this.#isServing
      ? this.#directory.workerFor(host, nowMs(), (one) => this.#pool.isUp(one))
      : undefined;
    const note: SocketNote = {
      workers: this.#directory.seenAt(host),
      isFull: this.#directory.up >= this.#limits.connectionsMax,
    };
    // The copy comes again, when the worker that has what is its own is back.
    if (worker === undefined || !this.#pool.tell(worker, 'socket', note, socket)) socket.destroy();
  }

  #settings(worker: number): InterceptWorkerSettings {
    const config = this.#config;
    const slot: WorkerSlot | undefined = this.#rules?.slots[worker];
    return {
      program: 'intercept',
      worker,
      logLevel: config.logLevel,
      config: { ...config, queueLengthMax: Math.max(1, Math.floor(config.queueLengthMax / config.threads)) },
      limits: shareOfLimits(this.#limits, config.threads),
      recordFile: config.recordFile === undefined ? undefined : fileOfWorker(config.recordFile, worker),
      credentials: this.#credentials,
      slot,
    };
  }

  #reported(worker: number, figures: InterceptFigures | undefined): void {
    if (figures !== undefined) this.#reports[worker] = figures;
  }

  #died(worker: number): void {
    const report = this.#reports[worker];
    this.#reports[worker] = undefined;
    if (report !== undefined) this.#closed = interceptTotals([this.#closed, closedFigures(report)]);
    this.#directory.workerDied(worker, nowMs());
  }

  #figures(running: readonly WorkerTotals[]): InterceptFigures {
    const totals = interceptTotals([this.#closed, ...running]);
    const cpu = process.cpuUsage(this.#cpuAtStart);
    return {
      ...totals,
      // A copy's workers may be with several of ours.
      copies: this.#directory.copies,
      elapsedMs: nowMs() - this.#startedMs,
      flowsMax: this.#limits.flowsMax,
      podsServing: 0,
      podsNotServing: 0,
      cpuUserUs: totals.cpuUserUs + cpu.user,
      cpuSystemUs: totals.cpuSystemUs + cpu.system,
      rssBytes: totals.rssBytes + process.memoryUsage.rss(),
      workers: this.#pool.up,
      workerRestarts: this.#pool.restarts,
    };
  }
}

function nowMs(): number {
  return Math.floor(performance.now());
}
