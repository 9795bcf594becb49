import { createEngineCounters, type EngineCounters } from '@trafficcopy/core';
import type { BudgetFigures } from './budget-keeper.js';
import type { CaptureStatistics } from './capture/packet-source.js';
import type { LaneCounters } from './channel/lane.js';
import type { ComparisonFigures } from './compare/comparison-figures.js';
import type { OfflineFigures } from './offline/offline-figures.js';
import type { SinkCounters } from './sink/packet-sink.js';

/** One source of captured packets. */
export interface SourceFigures extends CaptureStatistics {
  readonly name: string;
}

/** One intercept. */
export interface LaneFigures {
  readonly name: string;
  readonly isUp: boolean;
  readonly isCongested: boolean;
  readonly queuedBytes: number;
  readonly framesDropped: number;
  readonly counters: Readonly<LaneCounters>;
  readonly sink: Readonly<SinkCounters>;
}

/** What a copy has done since it began; a picture of one moment. */
export interface CopyFigures {
  /** Since the capture began, ms; 0 before. */
  readonly elapsedMs: number;
  readonly engine: Readonly<EngineCounters>;
  readonly sessionsOpen: number;
  /** How far the targets are behind the clients, ms. */
  readonly lagMs: number;
  /** What --max-cpu and --max-memory leave. */
  readonly budget: BudgetFigures;
  /** Of what is copied in the end, the share that -g has come to; 1 without it. */
  readonly ramp: number;
  readonly sources: readonly SourceFigures[];
  readonly lanes: readonly LaneFigures[];
  /** CPU time of the process, or of all of them, microseconds. */
  readonly cpuUserUs: number;
  readonly cpuSystemUs: number;
  readonly rssBytes: number;
  /** Workers that run (--threads), and how often one was started again. */
  readonly workers: number;
  readonly workerRestarts: number;
  /** Whether datagrams are copied, and not connections. Default: false. */
  readonly udp?: boolean | undefined;
  /** Of capture files. */
  readonly offline?: OfflineFigures | undefined;
  /** Of --compare. */
  readonly comparison?: ComparisonFigures | undefined;
}

/** Those of a copy that has not been made yet. */
export function noFigures(): CopyFigures {
  const cpu = process.cpuUsage();
  return {
    elapsedMs: 0,
    engine: createEngineCounters(),
    sessionsOpen: 0,
    lagMs: 0,
    budget: { share: 1, sessionsShed: 0 },
    ramp: 1,
    sources: [],
    lanes: [],
    cpuUserUs: cpu.user,
    cpuSystemUs: cpu.system,
    rssBytes: process.memoryUsage.rss(),
    workers: 1,
    workerRestarts: 0,
  };
}

/** Turns that were lost, for whatever reason. */
export function turnsLost(engine: Readonly<EngineCounters>): number {
  return Object.values(engine.turnsLost).reduce((sum, count) => sum + count, 0);
}

/** Copies of datagrams that reached no target, for whatever reason. */
export function datagramsLost(engine: Readonly<EngineCounters>): number {
  return Object.values(engine.datagrams.lost).reduce((sum, count) => sum + count, 0);
}

export function captureDrops(figures: Pick<CopyFigures, 'sources'>): number {
  return figures.sources.reduce((sum, source) => sum + source.drops, 0);
}

/** CPU time for each turn or datagram that was delivered, microseconds; 0 when none was. */
export function cpuUsPerTurn({ cpuUserUs, cpuSystemUs, engine }: CopyFigures): number {
  const delivered = engine.turnsDelivered + engine.datagrams.delivered;
  return delivered === 0 ? 0 : (cpuUserUs + cpuSystemUs) / delivered;
}
