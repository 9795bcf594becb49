import {
  type ClientCredentials,
  fileOfWorker,
  type ProgramLog,
  receiveError,
  type TransferredError,
  WorkerPool,
} from '@trafficcopy/runtime';
import type { LaneCredentials } from '../channel/lane-credentials.js';
import { hostPlan } from '../config/host-plan.js';
import type { CopyBasis, CopyConfig } from '../config.js';
import type { CopyFigures } from '../copy-figures.js';
import type { LanePlan } from '../copy-plan.js';
import { programMemory } from '../program-memory.js';
import type { LoadReport } from '../report/load-report.js';
import type { RecorderParts } from '../report/target-recorder.js';
import { shareOf } from './copy-share.js';
import { closedFigures, copyTotals, type WorkerTotals } from './copy-totals.js';
import type { CopyWorkerReport, CopyWorkerSettings } from './copy-worker.js';
import { clockStart } from './shared-clock.js';

const COPY_WORKER = new URL('./copy-worker.js', import.meta.url);
/** A worker that does not say how it goes within this time is not waited for. */
const REPORT_MS_MAX = 1000;
/** Closing takes 2 s at most, on a machine that has time for it. */
const CLOSE_MS_MAX = 15_000;
const STARTING = 'the workers are starting';

export interface CopyWorkersOptions {
  readonly config: CopyConfig;
  readonly log: ProgramLog;
  readonly credentials: LaneCredentials;
  /** Seeds initial sequence numbers and ports: real randomness. */
  readonly seed: number;
  /** Gets what the workers have measured, at the end. What one that dies has measured is gone with it. */
  readonly load: LoadReport | undefined;
  /** The recording of a worker has ended before its time; with a message for the user. */
  readonly onRecordStop: (message: string) => void;
  /** A lane can never work: the program should end with this. */
  readonly onFatal: (error: Error) => void;
}

/**
 * A copy with --threads, as the program sees it: each worker copies the clients whose ports are its own, and tells how it goes. Here are the sums, what
 * workers that died had done among them.
 */
export class CopyWorkers {
  readonly #options: CopyWorkersOptions;
  readonly #pool: WorkerPool;
  readonly #clockStartMs = clockStart();
  readonly #cpuAtBegin = process.cpuUsage();
  readonly #memory = programMemory();
  /** Of the workers that run: what each said last. */
  readonly #reports: (CopyWorkerReport | undefined)[];
  /** Of those that died. */
  #closed: WorkerTotals = copyTotals([]);
  #beganMs: number | undefined;
  #isStarted = false;
  /** Lanes whose credentials are being got: joining is for one at a time. */
  readonly #joining = new Map<string, Promise<ClientCredentials | 'insecure'>>();

  constructor(options: CopyWorkersOptions) {
    this.#options = options;
    const { config, log } = options;
    this.#reports = new Array<undefined>(config.threads).fill(undefined);
    this.#pool = new WorkerPool({
      module: COPY_WORKER,
      workers: config.threads,
      log,
      settings: (worker) => this.#settings(worker),
      handlers: {
        report: (worker, report: CopyWorkerReport) => this.#reported(worker, report),
        credentials: (_worker, lane: LanePlan) => this.#credentials(lane),
        renewed: (_worker, { lane, credentials }: { lane: LanePlan; credentials: ClientCredentials }) =>
          options.credentials.keep(lane, credentials),
        measured: (_worker, parts: RecorderParts[]) => options.load?.add(parts),
        recordStop: (_worker, message: string) => options.onRecordStop(message),
        fatal: (_worker, error: TransferredError) => options.onFatal(receiveError(error)),
      },
      onUp: (worker) => {
        if (this.#isStarted) this.#pool.tell(worker, 'start');
      },
      onDeath: (worker) => this.#died(worker),
    });
  }

  /** Opens what every worker needs. @throws UsageError, StartError: nothing is left open then */
  async open(): Promise<void> {
    await this.#pool.open();
  }

  /** Connects to the intercepts. */
  start(): void {
    this.#isStarted = true;
    this.#memory.start();
    this.#pool.tellAll('start');
  }

  /** Workers look after themselves. */
  tick(): void {}

  /** Asks the workers how it goes. */
  async refresh(): Promise<void> {
    for (const [worker, report] of await this.#pool.askAll<CopyWorkerReport | undefined>('report', REPORT_MS_MAX)) {
      if (report !== undefined) this.#reported(worker, report);
    }
  }

  /** Undefined when all that should be copied can be. */
  unreadyReason(): string | undefined {
    for (const [worker, report] of this.#reports.entries()) {
      if (!this.#pool.isUp(worker)) return `worker ${worker} does not run`;
      if (report === undefined) return STARTING;
      if (report.unreadyReason !== undefined) return report.unreadyReason;
    }
    return undefined;
  }

  figures(): CopyFigures {
    return this.#figures(this.#reports.flatMap((report) => (report === undefined ? [] : [report.figures])));
  }

  /** Resets every session at its target, and ends the workers. Returns the last figures. */
  async close(): Promise<CopyFigures> {
    this.#memory.stop();
    this.#pool.beginEnd();
    const answers = new Map(await this.#pool.askAll<CopyFigures | undefined>('close', CLOSE_MS_MAX));
    await this.#pool.end();
    const last = this.#reports.map((report, worker) => {
      // Who did not answer has died on the way.
      return answers.get(worker) ?? (report === undefined ? undefined : closedFigures(report.figures));
    });
    return this.#figures(last.filter((figures) => figures !== undefined));
  }

  /** At once, for a program that cannot go on. */
  kill(): void {
    this.#pool.kill();
  }

  #settings(worker: number): CopyWorkerSettings {
    const { config, seed } = this.#options;
    const workers = config.threads;
    const programBytes = process.memoryUsage.rss();
    return {
      program: 'copy',
      worker,
      logLevel: config.logLevel,
      basis: shareOf(basisOf(config), workers, programBytes),
      plan: hostPlan(config),
      share: { worker, workers },
      measures: this.#options.load !== undefined,
      trace: config.trace,
      stateDirectory: config.stateDirectory,
      recordFile: config.recordFile === undefined ? undefined : fileOfWorker(config.recordFile, worker),
      seed,
      instance: (seed + worker) >>> 0,
      rampPassedMs: this.#elapsedMs(),
      clockStartMs: this.#clockStartMs,
    };
  }

  #reported(worker: number, report: CopyWorkerReport): void {
    this.#reports[worker] = report;
    const { elapsedMs } = report.figures;
    if (elapsedMs > 0) this.#beganMs ??= performance.now() - elapsedMs;
  }

  #died(worker: number): void {
    const report = this.#reports[worker];
    this.#reports[worker] = undefined;
    if (report !== undefined) this.#closed = copyTotals([this.#closed, closedFigures(report.figures)]);
  }

  async #credentials(lane: LanePlan): Promise<ClientCredentials | 'insecure'> {
    const key = `${lane.host} ${lane.port}`;
    const known = this.#joining.get(key);
    if (known !== undefined) return await known;
    const joining = this.#options.credentials.get(lane);
    this.#joining.set(key, joining);
    try {
      return await joining;
    } finally {
      this.#joining.delete(key);
    }
  }

  #elapsedMs(): number {
    return this.#beganMs === undefined ? 0 : Math.floor(performance.now() - this.#beganMs);
  }

  #figures(running: readonly WorkerTotals[]): CopyFigures {
    const totals = copyTotals([this.#closed, ...running]);
    const cpu = process.cpuUsage(this.#cpuAtBegin);
    return {
      ...totals,
      elapsedMs: this.#elapsedMs(),
      cpuUserUs: totals.cpuUserUs + cpu.user,
      cpuSystemUs: totals.cpuSystemUs + cpu.system,
      rssBytes: totals.rssBytes + process.memoryUsage.rss(),
      workers: this.#pool.up,
      workerRestarts: this.#pool.restarts,
      udp: this.#options.config.udp,
    };
  }
}

/** What of the configuration a worker needs: no token, no file; it logs in by itself. */
function basisOf(config: CopyConfig): CopyBasis {
  const { udp, delivery, wait, fullSessionsOnly, mtuBytes, responseTimeoutMs, idleTimeoutMs } = config;
  const { captureBufferBytes, name, limits, wire, responsePayloadBytes, connect, budget } = config;
  return {
    udp,
    delivery,
    wait,
    fullSessionsOnly,
    mtuBytes,
    responseTimeoutMs,
    idleTimeoutMs,
    captureBufferBytes,
    name,
    limits,
    wire,
    responsePayloadBytes,
    connect,
    budget,
  };
}
