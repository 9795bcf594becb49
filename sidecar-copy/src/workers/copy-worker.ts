/** One worker of a copy with --threads: what `copy` does for its share of the clients, in a process of its own. */
import type { PortShare } from '@trafficcopy/core';
import {
  type ClientCredentials,
  PcapngRecorder,
  transferError,
  WorkerProcess,
  type WorkerSettings,
} from '@trafficcopy/runtime';
import { localNetwork } from '../capture/local-network.js';
import { RingSource } from '../capture/ring-source.js';
import type { CopyBasis } from '../config.js';
import { Copy } from '../copy.js';
import { copyEdges } from '../copy-edges.js';
import type { CopyFigures } from '../copy-figures.js';
import type { CopyPlan, LanePlan } from '../copy-plan.js';
import { endFirstWhenMemoryIsShort } from '../memory-shortage.js';
import type { LoadReport } from '../report/load-report.js';
import { startFailure } from '../start-failure.js';
import type { SessionFilter } from '../trace/session-filter.js';
import { SessionTraces } from '../trace/session-traces.js';
import { sharedClock } from './shared-clock.js';

/** What a worker is told first. */
export interface CopyWorkerSettings extends WorkerSettings {
  readonly basis: CopyBasis;
  readonly plan: CopyPlan;
  readonly share: PortShare;
  readonly recordFile: string | undefined;
  readonly trace: SessionFilter | undefined;
  readonly stateDirectory: string;
  readonly measures: boolean;
  /** One for all workers: a client gets the same address from all of them. */
  readonly seed: number;
  /** Tells this worker, and whoever takes its place, from others with the same certificate. */
  readonly instance: number;
  readonly rampPassedMs: number;
  readonly clockStartMs: number;
}

/** What a worker says of itself. */
export interface CopyWorkerReport {
  readonly figures: CopyFigures;
  readonly unreadyReason: string | undefined;
}

const TICK_MS = 1000;
/** What is lost of the figures of a worker that dies. */
const REPORT_MS = 200;

let copy: Copy | undefined;
let recorder: PcapngRecorder | undefined;
let traces: SessionTraces | undefined;
let load: LoadReport | undefined;
const timers: NodeJS.Timeout[] = [];

const worker = WorkerProcess.run<CopyWorkerSettings>({
  open: async (settings) => {
    try {
      await open(settings);
    } catch (error) {
      throw startFailure(error);
    }
  },
  handlers: {
    start: () => {
      recorder?.start();
      copy?.start();
      timers.push(setInterval(() => copy?.tick(), TICK_MS));
      timers.push(setInterval(() => worker.link.tell('report', report()), REPORT_MS));
    },
    report,
    close,
  },
  end: async () => {
    await close();
  },
});

async function open(settings: CopyWorkerSettings): Promise<void> {
  const { basis, plan, share, recordFile, seed, instance, rampPassedMs, clockStartMs, trace, stateDirectory } =
    settings;
  const preciseMs = sharedClock(clockStartMs);
  const nowMs = (): number => Math.floor(preciseMs());
  const { logger, link } = worker;
  endFirstWhenMemoryIsShort();
  if (recordFile !== undefined) {
    recorder = new PcapngRecorder({ path: recordFile, onStop: (message) => void link.tell('recordStop', message) });
  }
  // When the clock began the program knows.
  if (settings.measures) load = new (await import('../report/load-report.js')).LoadReport(0);
  copy = new Copy({
    basis,
    plan,
    edges: {
      ...(await copyEdges({ capture: 'native' })),
      openSource: (request) => new RingSource({ ...request, share }),
      nowMs,
      preciseMs,
    },
    logger,
    tellShared: worker.tellShared,
    recorder,
    seed,
    instance,
    rampPassedMs,
    ports: share,
    meterFor: load?.meterFor,
    localNetwork,
    identity: {
      credentials: (lane) => link.ask<ClientCredentials | 'insecure'>('credentials', lane),
      onRenewed: (lane: LanePlan, credentials) => void link.tell('renewed', { lane, credentials }),
      isManaged: false,
    },
    onFatal: (error) => void link.tell('fatal', transferError(error)),
  });
  traces = await SessionTraces.open({ trace, stateDirectory, tracer: copy.tracer, logger, nowMs });
}

function report(): CopyWorkerReport | undefined {
  return copy === undefined ? undefined : { figures: copy.figures(), unreadyReason: copy.unreadyReason() };
}

/** The last figures. */
async function close(): Promise<CopyFigures | undefined> {
  for (const timer of timers.splice(0)) clearInterval(timer);
  const closing = copy;
  copy = undefined;
  traces?.close();
  traces = undefined;
  const figures = await closing?.close();
  if (load !== undefined) worker.link.tell('measured', load.toParts());
  load = undefined;
  await recorder?.close();
  return figures;
}
