import { isDeepStrictEqual } from 'node:util';
import { type Difference, Engine, type EngineConfig, type MappingConfig, type PortShare } from '@trafficcopy/core';
import {
  type ClientCredentials,
  type PcapngRecorder,
  type ProgramLog,
  type QuietMemory,
  sharedTo,
  type TellShared,
} from '@trafficcopy/runtime';
import { Bandwidth } from './bandwidth.js';
import { BudgetKeeper } from './budget-keeper.js';
import { capturePlan } from './capture/capture-plan.js';
import { Captures } from './capture/captures.js';
import type { LocalNetwork } from './capture/local-network.js';
import { type LaneIdentity, Lanes } from './channel/lanes.js';
import { comparisonFigures } from './compare/comparison-figures.js';
import { type CopyBasis, engineConfigOf } from './config.js';
import { socketLimit } from './connect/socket-limit.js';
import type { CopyEdges } from './copy-edges.js';
import type { CopyFigures } from './copy-figures.js';
import type { CopyPlan } from './copy-plan.js';
import { unreadyReason } from './health.js';
import { engineProtocols } from './logins/engine-protocols.js';
import { otherProtocols, type PortLogins } from './logins/port-logins.js';
import type { CopyLoad } from './offline/replay-room.js';
import { Pipeline } from './pipeline.js';
import { programMemory } from './program-memory.js';
import { RampClock } from './ramp-clock.js';
import { SessionTracer } from './trace/session-tracer.js';
import { TurnLag } from './turn-lag.js';

/** How long the last frames may take at the end. */
const DRAIN_MS_MAX = 2000;
const DRAIN_POLL_MS = 5;
/** At the end, how long to wait for word of datagrams that are on their way. */
const DATAGRAMS_SETTLE_MS = 1000;
/** How often the addresses of this host are looked at. */
const ADDRESS_CHECK_MS = 5000;
/** While new sessions are held off for the bandwidth, how often it is looked at, at least. */
const BANDWIDTH_CHECK_MS_MAX = 250;

export interface CopyOptions {
  /** What stays as it is until the end. */
  readonly basis: CopyBasis;
  /** What to do at first; {@link Copy.apply} replaces it. */
  readonly plan: CopyPlan;
  readonly edges: CopyEdges;
  readonly logger: ProgramLog['logger'];
  readonly recorder: PcapngRecorder | undefined;
  /** What other workers of the program notice as well. Default: to the logger. */
  readonly tellShared?: TellShared | undefined;
  /** Seeds initial sequence numbers and ports: real randomness. */
  readonly seed: number;
  /** How much of the ramp (-g) has passed before this begins, ms: for one that takes the place of another. Default: 0. */
  readonly rampPassedMs?: number | undefined;
  /** Tells this process from others with the same certificate. Default: the seed. */
  readonly instance?: number | undefined;
  /** With --connect, sockets at one time. Default: as many as the system allows. */
  readonly socketsMax?: number | undefined;
  /** What of the clients is ours, by their ports. Default: all. */
  readonly ports?: PortShare | undefined;
  /** Who is told what targets do. Default: nobody. */
  readonly meterFor?: EngineConfig['meterFor'];
  readonly localNetwork: () => LocalNetwork;
  readonly identity: LaneIdentity;
  /** A lane can never work: the program should end with this. */
  readonly onFatal: (error: Error) => void;
}

/**
 * One running copy: sources, engine, lanes and the walk between them. Opened by the constructor, which touches the kernel but no
 * network; `start` connects, and the first channel that is up begins the copying.
 */
export class Copy {
  private readonly options: CopyOptions;
  private readonly engine: Engine;
  private readonly captures: Captures;
  private readonly lanes: Lanes;
  private readonly pipeline: Pipeline;
  private readonly bandwidth: Bandwidth;
  private readonly budget: BudgetKeeper;
  private readonly ramp: RampClock;
  /** Shows single sessions to whoever asks. */
  readonly tracer: SessionTracer;
  private readonly memory: QuietMemory;
  private readonly lag = new TurnLag();
  private plan: CopyPlan;
  private lagMs = 0;
  private beganMs: number | undefined;
  private cpuAtBegin = process.cpuUsage();
  private addressesCheckedMs = 0;
  private loginProblemsTold = 0;
  private isUnreachableTold = false;
  private isRefusalTold = false;
  private bandwidthTimer: NodeJS.Timeout | undefined;

  /**
   * @throws UsageError, FilterError, NativeError: nothing is left open then.
   */
  constructor(options: CopyOptions) {
    this.options = options;
    const { basis, plan, edges, logger, recorder } = options;
    const tellShared = options.tellShared ?? sharedTo(logger);
    if (plan.filter !== undefined) edges.checkFilter(plan.filter);
    this.plan = plan;
    this.bandwidth = new Bandwidth(edges.nowMs());
    const { ports, meterFor } = options;
    this.engine = new Engine({ ...engineConfigOf(basis, plan, options.seed), ports, meterFor }, edges.nowMs());
    this.tracer = new SessionTracer(this.engine);
    const usage = (): ReturnType<CopyEdges['usage']> => edges.usage();
    this.memory = programMemory({
      isBusy: () => this.engine.heldBytes > 0,
      freeSpare: () => this.engine.giveBackMemory(),
    });
    this.budget = new BudgetKeeper({ limits: basis.budget, engine: this.engine, logger, usage }, edges.nowMs());
    this.ramp = new RampClock({
      engine: this.engine,
      passedMs: options.rampPassedMs ?? 0,
      onOver: () =>
        tellShared({
          key: 'ramp',
          level: 'info',
          message: 'the ramp is over: all that -r and -n ask for is copied',
        }),
    });
    this.pipeline = new Pipeline({ engine: this.engine, nowMs: () => edges.preciseMs() });
    this.captures = new Captures({
      edges,
      logger,
      bufferBytes: basis.captureBufferBytes,
      seesOutgoing: basis.compare !== undefined,
      onOpen: (source) => this.pipeline.addSource(source),
      onClose: (source) => this.pipeline.removeSource(source),
    });
    this.lanes = new Lanes({
      ...options.identity,
      engine: this.engine,
      edges,
      logger,
      recorder,
      delivery: basis.delivery,
      name: basis.name,
      wire: basis.wire && { format: basis.wire, sessionsMax: basis.limits.sessionsMax, seed: options.seed },
      connectSocketsMax: basis.connect ? (options.socketsMax ?? socketLimit()) : undefined,
      instance: options.instance ?? options.seed,
      program: options.seed,
      responsePayloadBytes: basis.responsePayloadBytes,
      datagramSources: basis.udp ? () => this.plan.clientAddresses : undefined,
      onResponses: (lane, batch) => this.pipeline.ingestResponses(lane, batch),
      onOutput: () => this.pipeline.flushSoon(),
      onSent: (bytes) => this.sent(bytes),
      onUp: () => this.laneUp(),
      onFatal: options.onFatal,
    });
    try {
      this.apply(plan);
    } catch (error) {
      this.captures.close();
      this.lanes.closeOthers([]);
      throw error;
    }
  }

  /** Connects to the intercepts. */
  start(): void {
    this.lanes.start();
  }

  /**
   * Does as `plan` says from now on. Sessions whose endpoint stays are not touched.
   *
   * @throws UsageError, FilterError, NativeError: the earlier plan is in force then
   */
  apply(plan: CopyPlan): void {
    const { edges, logger, localNetwork } = this.options;
    const nowMs = edges.nowMs();
    const capture = capturePlan(plan, localNetwork());
    const lanes = this.lanes.open(plan.lanes);
    try {
      if (this.captures.follow(capture)) {
        for (const note of capture.notes) logger.warn(note);
        logger.debug({ filter: capture.filter, interfaces: this.captures.names }, 'capture');
      }
    } catch (error) {
      this.lanes.closeOthers(this.plan.lanes);
      throw error;
    }
    for (const lane of lanes) this.pipeline.setOutlet(lane.index, lane);
    const before = this.plan;
    this.plan = plan;
    this.engine.setClientAddresses(plan.clientAddresses);
    this.engine.setSample(plan.sample);
    this.engine.setCopies(plan.copies);
    const numbers = lanes.map((lane) => lane.index);
    const mappings = plan.mappings.map((mapping) => withLanes(mapping, numbers));
    this.followLogins(before.logins ?? [], plan.logins ?? [], mappings, nowMs);
    this.engine.setMappings(mappings, nowMs);
    this.engine.setPaused(plan.isSuspended, nowMs);
    this.ramp.follow(plan, nowMs);
    this.bandwidth.setLimit(plan.bytesPerSecondMax, nowMs);
    if (plan.budget !== undefined) this.budget.setLimits(plan.budget);
    // What ends by the change says so to its target before the way there is closed.
    this.pipeline.flush();
    this.lanes.closeOthers(plan.lanes);
    this.holdOffLanes();
  }

  /** Sessions of a port that gets another protocol, or none, begin anew: what they said so far was said otherwise. */
  private followLogins(
    before: readonly PortLogins[],
    now: readonly PortLogins[],
    mappings: readonly MappingConfig[],
    nowMs: number,
  ): void {
    if (isDeepStrictEqual(before, now)) return;
    const others = otherProtocols(before, now);
    const kept = mappings.filter(({ onlinePort }) => !others.has(onlinePort));
    if (kept.length < mappings.length) this.engine.setMappings(kept, nowMs);
    this.engine.setProtocols(engineProtocols(now));
  }

  /** Shown to intercepts from the next connection on. */
  setCredentials(credentials: ClientCredentials): void {
    this.lanes.setCredentials(credentials);
  }

  private laneUp(): void {
    this.holdOffLanes();
    if (this.beganMs === undefined) this.begin();
  }

  private begin(): void {
    const { edges, logger } = this.options;
    this.beganMs = edges.nowMs();
    this.cpuAtBegin = process.cpuUsage();
    this.budget.begin(this.beganMs);
    this.ramp.begin(this.plan, this.beganMs);
    this.captures.start();
    this.memory.start();
    logger.info({ interfaces: this.captures.names }, 'copying');
  }

  /** Says once what keeps sessions from being let in. */
  private checkLogins(): void {
    const { loginProblems } = this.engine;
    if (loginProblems.size === this.loginProblemsTold) return;
    for (const problem of [...loginProblems.keys()].slice(this.loginProblemsTold)) {
      this.options.logger.warn({ problem }, 'sessions are not let in at a target');
    }
    this.loginProblemsTold = loginProblems.size;
  }

  /** Says once what keeps datagrams from being of use at a target. */
  private checkDatagrams(): void {
    const { unreachable, lost } = this.engine.counters.datagrams;
    const { logger } = this.options;
    if (unreachable > 0 && !this.isUnreachableTold) {
      this.isUnreachableTold = true;
      logger.warn(
        'datagrams arrive at a target where nobody listens on their port (ICMP): is it started, is its port right in -x?',
      );
    }
    if (lost.refused > 0 && !this.isRefusalTold) {
      this.isRefusalTold = true;
      logger.warn(
        'intercept refuses datagrams: it serves no such target, or does not take those addresses; its summary says which: is it the one of that target (-s)?',
      );
    }
  }

  /** Call it every second. */
  tick(): void {
    this.checkLogins();
    this.checkDatagrams();
    const nowMs = this.options.edges.nowMs();
    const { turnsCaptured, turnsPending, datagrams } = this.engine.counters;
    const captured = turnsCaptured + datagrams.copies;
    this.lagMs = this.lag.sample(nowMs, captured, captured - turnsPending - datagrams.pending);
    for (const lane of this.lanes.all) lane.checkQueue();
    this.engine.comparison?.tick(nowMs);
    this.holdOffLanes();
    if (this.beganMs === undefined) return;
    this.budget.tick(nowMs);
    this.pipeline.flush();
    this.ramp.tick(nowMs);
    this.captures.checkDrops(nowMs);
    if (nowMs - this.addressesCheckedMs < ADDRESS_CHECK_MS) return;
    this.addressesCheckedMs = nowMs;
    this.followAddresses();
  }

  /**
   * Sessions that wait for a lane that is away must not take the memory of those that go on elsewhere; and beyond the bandwidth
   * none begins at all.
   */
  private holdOffLanes(): void {
    const isTight = this.engine.heldBytes * 2 > this.options.basis.limits.heldBytesMax;
    const canOthersGoOn = this.lanes.hasUp;
    for (const lane of this.lanes.all) {
      lane.holdOff(this.isOverBandwidth || (!lane.isUp && canOthersGoOn && isTight));
    }
  }

  /** Whether more was sent than the plan allows, so that no session begins. */
  get isOverBandwidth(): boolean {
    return this.bandwidthTimer !== undefined;
  }

  /** The share of connections that the safety budget leaves; 1 while there is room. */
  get budgetShare(): number {
    return this.budget.figures().share;
  }

  private sent(bytes: number): void {
    if (this.plan.bytesPerSecondMax === 0) return;
    this.bandwidth.take(bytes, this.options.edges.nowMs());
    if (!this.isOverBandwidth) this.checkBandwidth();
  }

  private checkBandwidth(): void {
    const wasOver = this.isOverBandwidth;
    this.bandwidthTimer = undefined;
    const waitMs = this.bandwidth.waitMs(this.options.edges.nowMs());
    if (waitMs > 0) {
      this.bandwidthTimer = setTimeout(() => this.checkBandwidth(), Math.min(waitMs, BANDWIDTH_CHECK_MS_MAX));
    }
    if (this.isOverBandwidth !== wasOver) this.holdOffLanes();
  }

  /** Addresses of this host come and go; the filter names them. */
  private followAddresses(): void {
    const { localNetwork, logger } = this.options;
    try {
      if (!this.captures.follow(capturePlan(this.plan, localNetwork()))) return;
      logger.info("this host's addresses have changed: the capture follows them");
    } catch (error) {
      logger.error({ err: error }, "this host's addresses have changed, but the capture could not follow them");
    }
  }

  /** Undefined when all that should be copied can be. */
  unreadyReason(): string | undefined {
    return unreadyReason(this.lanes.all, this.captures.figures());
  }

  get isSuspended(): boolean {
    return this.plan.isSuspended;
  }

  /** Whether something can be copied now. */
  get isCopying(): boolean {
    return this.beganMs !== undefined && this.lanes.hasUp && !this.plan.isSuspended;
  }

  /** By target, whether the way to it is up, and else why not. */
  targets(): ReturnType<Lanes['targets']> {
    return this.lanes.targets();
  }

  /** Connections that turned out to be encrypted, by online port. */
  get encrypted(): ReadonlyMap<number, number> {
    return this.engine.encryptedByPort;
  }

  /** Packets that the capture had no room for. */
  get captureDrops(): number {
    return this.captures.drops;
  }

  /** What waits here, for a source that can wait as well. */
  load(): CopyLoad {
    const { turnsPending, turnsCaptured, responsesReceived, datagrams } = this.engine.counters;
    const { sessionsOpen, connectionsOpen, heldBytes } = this.engine;
    const isCongested = this.lanes.all.some((lane) => lane.isCongested);
    const inEngine = {
      // A datagram is a turn, and a session that lasts until it is heard of.
      sessionsOpen: sessionsOpen + datagrams.pending,
      turnsPending: turnsPending + datagrams.pending,
      turnsCaptured: turnsCaptured + datagrams.captured,
      connectionsOpen,
      heldBytes,
    };
    return { ...inEngine, responses: responsesReceived, isUp: this.lanes.hasUp, isCongested };
  }

  /** Nothing more is captured: connections whose end was not captured end when all is delivered. */
  endCapture(): void {
    this.engine.endCapture(this.options.edges.nowMs());
    this.pipeline.flush();
  }

  /** Why targets let sessions not in, and how often. */
  get loginProblems(): ReadonlyMap<string, number> {
    return this.engine.loginProblems;
  }

  /** The differences that were found since it was asked last. */
  takeDifferences(): readonly Difference[] {
    return this.engine.comparison?.report.takeDifferences() ?? [];
  }

  figures(): CopyFigures {
    const report = this.engine.comparison?.report;
    const cpu = process.cpuUsage(this.cpuAtBegin);
    return {
      elapsedMs: this.beganMs === undefined ? 0 : this.options.edges.nowMs() - this.beganMs,
      engine: engineFigures(this.engine),
      sessionsOpen: this.engine.sessionsOpen,
      lagMs: this.lagMs,
      budget: this.budget.figures(),
      ramp: this.ramp.progress(this.options.edges.nowMs()),
      sources: this.captures.figures(),
      lanes: this.lanes.all.map((lane) => lane.figures()),
      cpuUserUs: cpu.user,
      cpuSystemUs: cpu.system,
      rssBytes: process.memoryUsage.rss(),
      workers: 1,
      workerRestarts: 0,
      udp: this.options.basis.udp,
      comparison: report && comparisonFigures(report),
    };
  }

  /** Resets every session at its target, gives that a moment to leave, closes everything. Returns the last figures. */
  async close(): Promise<CopyFigures> {
    clearTimeout(this.bandwidthTimer);
    this.memory.stop();
    this.pipeline.stopSources();
    await this.settleDatagrams();
    this.pipeline.close();
    this.tracer.close();
    this.checkLogins();
    const figures = this.figures();
    this.captures.close();
    const deadlineMs = this.options.edges.nowMs() + DRAIN_MS_MAX;
    await this.drainQueues(deadlineMs);
    this.lanes.closeChannels();
    // The farewell too.
    await this.drainQueues(deadlineMs);
    this.lanes.closeSinks();
    return figures;
  }

  /** What became of datagrams that are on their way is heard of in a moment, where intercept is there. */
  private async settleDatagrams(): Promise<void> {
    const deadlineMs = this.options.edges.nowMs() + DATAGRAMS_SETTLE_MS;
    const { datagrams } = this.engine.counters;
    while (datagrams.pending > 0 && this.lanes.hasUp && this.options.edges.nowMs() < deadlineMs) {
      this.pipeline.flush();
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
  }

  private async drainQueues(deadlineMs: number): Promise<void> {
    do {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    } while (this.lanes.queuedBytes > 0 && this.options.edges.nowMs() < deadlineMs);
  }
}

/** The counters as they are now. */
function engineFigures({ counters }: Engine): CopyFigures['engine'] {
  return { ...counters, datagrams: { ...counters.datagrams, lost: { ...counters.datagrams.lost } } };
}

/** A mapping of a plan with the engine's lanes in place of the plan's. */
function withLanes(mapping: MappingConfig, lanes: readonly number[]): MappingConfig {
  const targets = mapping.targets.map((target) => ({
    ...target,
    endpoints: target.endpoints.map((endpoint) => ({ ...endpoint, lane: lanes[endpoint.lane]! })),
  }));
  return { ...mapping, targets };
}
