/** Capture files, reader, schedule, engine and pipeline as in the program; behind them a target without a kernel. */
import {
  type AddressRange,
  ENGINE_LIMITS_DEFAULT,
  Engine,
  type EngineCounters,
  type EngineLimits,
} from '@trafficcopy/core';
import { ENGINE_CONFIG, mappingTo, TARGET } from '@trafficcopy/core/kit/engine-setup.js';
import { captureFilter } from '../../src/capture/capture-filter.js';
import type { OfflineFigures } from '../../src/offline/offline-figures.js';
import type { OfflinePlan } from '../../src/offline/offline-plan.js';
import { OfflineReplay } from '../../src/offline/offline-replay.js';
import { recordingsOf } from '../../src/offline/recording.js';
import { Pipeline } from '../../src/pipeline.js';
import { NullTarget } from './null-target.js';

export interface StandOptions {
  readonly plan?: Partial<OfflinePlan>;
  readonly limits?: Partial<EngineLimits>;
  readonly condition?: string;
  readonly copies?: number;
  readonly clientAddresses?: readonly AddressRange[];
  readonly responseTimeoutMs?: number;
  /** The target never answers. */
  readonly isSilent?: boolean;
  /** Looks at it from time to time. */
  readonly onLook?: (engine: Engine) => void;
  /** Hears how far it is from time to time. */
  readonly onProgress?: (figures: OfflineFigures) => void;
}

export interface ReplayOutcome {
  readonly counters: EngineCounters;
  readonly figures: OfflineFigures;
  readonly seen: NullTarget['seen'];
  readonly notes: readonly string[];
  readonly elapsedMs: number;
}

const LOOK_MS = 20;

/** Replays the files to their end, as fast as possible if `plan` does not say otherwise. @throws StartError */
export async function replayFiles(files: readonly string[], options: StandOptions = {}): Promise<ReplayOutcome> {
  const plan: OfflinePlan = { ...PLAN, files, ...options.plan };
  const limits = { ...ENGINE_LIMITS_DEFAULT, ...options.limits };
  const nowMs = (): number => Math.floor(performance.now());
  const { copies = 1, clientAddresses = [], responseTimeoutMs = 30_000 } = options;
  const asked = { limits, copies, clientAddresses, responseTimeoutMs };
  const engine = new Engine({ ...ENGINE_CONFIG, mappings: [mappingTo(TARGET)], ...asked }, nowMs());
  const pipeline = new Pipeline({ engine, nowMs });
  const target = new NullTarget((batch) => pipeline.ingestResponses(0, batch), options.isSilent);
  pipeline.setOutlet(0, target);
  const notes: string[] = [];
  const recordings = await recordingsOf(files, plan.runs);
  const onNote = (note: string): void => void notes.push(note);
  const replay = new OfflineReplay({ plan, recordings, limits, sessionsForEach: copies, nowMs, onNote });
  const startedMs = nowMs();
  const looks = setInterval(() => {
    options.onLook?.(engine);
    options.onProgress?.(replay.figures());
  }, LOOK_MS);
  await new Promise<void>((resolve) => {
    const load = () => loadOf(engine);
    const endCapture = (): void => {
      engine.endCapture(nowMs());
      pipeline.flush();
    };
    replay.feed({ load, endCapture }, resolve);
    pipeline.addSource(replay.openAs(filterOf(options.condition)));
  });
  clearInterval(looks);
  const elapsedMs = nowMs() - startedMs;
  const figures = replay.figures();
  pipeline.close();
  replay.close();
  return { counters: engine.counters, figures, seen: target.seen, notes, elapsedMs };
}

const PLAN: OfflinePlan = {
  files: [],
  speed: Number.POSITIVE_INFINITY,
  idleMsMax: undefined,
  rate: undefined,
  runs: 1,
  from: undefined,
  until: undefined,
};

function filterOf(condition: string | undefined): string {
  const online = [{ address: undefined, port: 80, addressBytes: 4 }];
  return captureFilter({ online, localAddresses: [], targets: [], loopbackClients: false, condition });
}

function loadOf(engine: Engine): ReturnType<Parameters<OfflineReplay['feed']>[0]['load']> {
  const { turnsPending, turnsCaptured, responsesReceived } = engine.counters;
  const { sessionsOpen, connectionsOpen, heldBytes } = engine;
  const room = { isUp: true, isCongested: false, responses: responsesReceived };
  return { ...room, sessionsOpen, connectionsOpen, heldBytes, turnsPending, turnsCaptured };
}
