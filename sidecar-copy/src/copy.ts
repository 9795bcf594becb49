import { Engine, type FrameType, formatIpAddress, type HelloTarget, type IpAddress } from '@trafficcopy/core';
import {
  type ChannelConnection,
  type ClientCredentials,
  formatSocketAddress,
  type PcapngRecorder,
  type ProgramLog,
} from '@trafficcopy/runtime';
import { capturePlan } from './capture/capture-plan.js';
import { DropAlarm } from './capture/drop-alarm.js';
import type { PacketSource } from './capture/packet-source.js';
import { Lane } from './channel/lane.js';
import { type CopyConfig, engineConfigOf } from './config.js';
import type { CopyEdges } from './copy-edges.js';
import type { CopyFigures, SourceFigures } from './copy-figures.js';
import { unreadyReason } from './health.js';
import { Pipeline } from './pipeline.js';
import { DirectSink } from './sink/direct-sink.js';
import { TunnelSink } from './sink/tunnel-sink.js';
import { TurnLag } from './turn-lag.js';

/** Octets that may wait for one intercept; at half of it no new session is started on the lane. */
const QUEUE_BYTES_MAX = 16 * 1024 * 1024;
/** How long the last frames may take at the end. */
const DRAIN_MS_MAX = 2000;
const DRAIN_POLL_MS = 5;
/** A channel that stays away is told again after so long. */
const DOWN_LOG_INTERVAL_MS = 60_000;
/** How often the addresses of this host are looked at. */
const ADDRESS_CHECK_MS = 5000;

export interface CopyOptions {
  readonly config: CopyConfig;
  readonly edges: CopyEdges;
  readonly logger: ProgramLog['logger'];
  readonly recorder: PcapngRecorder | undefined;
  /** Seeds initial sequence numbers and ports: real randomness. */
  readonly seed: number;
  readonly localAddresses: () => readonly IpAddress[];
  /** How to prove our identity to a lane's intercept. */
  readonly credentials: (lane: number) => Promise<ClientCredentials | 'insecure'>;
  readonly onRenewed: (lane: number, credentials: ClientCredentials) => void;
  /** A lane can never work: the program should end with this. */
  readonly onFatal: (error: Error) => void;
}

interface Capture {
  readonly source: PacketSource;
  readonly alarm: DropAlarm;
  /** What the kernel had counted before the copying began. */
  before: { readonly packets: number; readonly drops: number; readonly freezes: number };
}

/**
 * One running copy: sources, engine, lanes and the walk between them. Opened by the constructor, which touches the kernel but no
 * network; `start` connects, and the first channel that is up begins the copying.
 */
export class Copy {
  private readonly options: CopyOptions;
  private readonly engine: Engine;
  private readonly captures: Capture[];
  private readonly lanes: Lane[];
  private readonly channels: { start(): void; close(): void }[];
  private readonly pipeline: Pipeline;
  private readonly lag = new TurnLag();
  private filter: string;
  private lagMs = 0;
  private beganMs: number | undefined;
  private cpuAtBegin = process.cpuUsage();
  private addressesCheckedMs = 0;

  /**
   * @throws UsageError, FilterError, NativeError: nothing is left open then.
   */
  constructor(options: CopyOptions) {
    this.options = options;
    const { config, edges, logger } = options;
    const plan = capturePlan(config, options.localAddresses());
    this.filter = plan.filter;
    if (config.filter !== undefined) edges.checkFilter(config.filter);
    edges.checkFilter(plan.filter);
    for (const note of plan.notes) logger.warn(note);
    logger.debug({ filter: plan.filter }, 'capture filter');
    const opened: { close(): void }[] = [];
    try {
      this.captures = plan.interfaceNames.map((interfaceName) => {
        const source = edges.openSource({ interfaceName, filter: plan.filter, bufferBytes: config.captureBufferBytes });
        opened.push(source);
        return { source, alarm: new DropAlarm(), before: { packets: 0, drops: 0, freezes: 0 } };
      });
      this.engine = new Engine(engineConfigOf(config, options.seed), edges.nowMs());
      this.lanes = config.lanes.map((address, index) => this.makeLane(index, formatSocketAddress(address), opened));
    } catch (error) {
      for (const one of opened) one.close();
      throw error;
    }
    this.channels = this.lanes.map((lane) => this.makeChannel(lane));
    this.pipeline = new Pipeline({
      engine: this.engine,
      sources: this.captures.map((capture) => capture.source),
      outlets: this.lanes,
      nowMs: () => edges.nowMs(),
    });
  }

  private makeLane(index: number, name: string, opened: { close(): void }[]): Lane {
    const { config, edges, recorder } = this.options;
    const families = new Set(this.targets(index).map((target): 4 | 6 => (target.address.length === 4 ? 4 : 6)));
    const sink =
      config.delivery === 'tunnel'
        ? new TunnelSink()
        : new DirectSink([...families].map((family) => edges.openSender(family)));
    opened.push(sink);
    return new Lane({
      index,
      name,
      sink,
      engine: this.engine,
      nowMs: () => edges.nowMs(),
      congestedBytes: QUEUE_BYTES_MAX / 2,
      onResponses: (lane, batch) => {
        recorder?.recordResponses(lane, batch);
        this.pipeline.ingestResponses(lane, batch);
      },
      onOutput: () => this.pipeline.flushSoon(),
      onSend: recorder === undefined ? undefined : (batch) => recorder.recordReplay(index, batch),
    });
  }

  private targets(lane: number): { address: IpAddress; port: number }[] {
    return this.options.config.mappings.flatMap((mapping) => mapping.targets.filter((target) => target.lane === lane));
  }

  private makeChannel(lane: Lane): { start(): void; close(): void } {
    const { config, edges, credentials, onRenewed, logger } = this.options;
    const { host, port } = config.lanes[lane.index]!;
    const targets = this.targets(lane.index).map(
      (target): HelloTarget => ({ address: formatIpAddress(target.address), port: target.port }),
    );
    let downLoggedMs = Number.NEGATIVE_INFINITY;
    return edges.openChannel({
      host,
      port,
      // The instance lets intercept tell a process that reconnects from another one with the same certificate.
      hello: {
        role: 'copy',
        name: config.name,
        delivery: config.delivery,
        capabilities: [`instance:${this.options.seed.toString(16)}`],
        targets,
      },
      queueBytesMax: QUEUE_BYTES_MAX,
      credentials: () => credentials(lane.index),
      onRenewed: (renewed) => onRenewed(lane.index, renewed),
      onRenewalFailed: (message) => logger.warn({ intercept: lane.name }, `certificate not renewed: ${message}`),
      onUp: (connection) => {
        downLoggedMs = Number.NEGATIVE_INFINITY;
        this.laneUp(lane, connection);
      },
      onFrame: (type, bytes, offset, length) => lane.frame(type as FrameType, bytes, offset, length),
      onDown: (reason, willRetry) => {
        const wasUp = lane.isUp;
        lane.down();
        this.pipeline.flushSoon();
        if (!willRetry) {
          this.options.onFatal(reason);
          return;
        }
        const nowMs = edges.nowMs();
        if (!wasUp && nowMs - downLoggedMs < DOWN_LOG_INTERVAL_MS) return;
        downLoggedMs = nowMs;
        const message = downMessage(wasUp, lane.counters.connects > 0);
        logger.warn({ intercept: lane.name, reason: reason.message }, message);
      },
      onDrain: () => lane.checkQueue(),
    });
  }

  /** Connects to the intercepts. */
  start(): void {
    for (const channel of this.channels) channel.start();
  }

  private laneUp(lane: Lane, connection: ChannelConnection): void {
    const { logger } = this.options;
    const identity = connection.identity?.name ?? 'plain TCP';
    logger.info({ intercept: lane.name, peer: connection.peer.name, identity }, 'channel to intercept is up');
    lane.up(connection);
    if (this.beganMs === undefined) this.begin();
  }

  /** What was captured while there was no way to any target is dropped: connections are joined at their next turn. */
  private begin(): void {
    const { edges, logger } = this.options;
    for (const capture of this.captures) {
      while (capture.source.next()) capture.source.release();
      capture.before = capture.source.statistics();
    }
    this.beganMs = edges.nowMs();
    this.cpuAtBegin = process.cpuUsage();
    this.pipeline.start();
    logger.info({ interfaces: this.captures.map((capture) => capture.source.name) }, 'copying');
  }

  /** Call it every second. */
  tick(): void {
    const nowMs = this.options.edges.nowMs();
    const { turnsCaptured, turnsPending } = this.engine.counters;
    this.lagMs = this.lag.sample(nowMs, turnsCaptured, turnsCaptured - turnsPending);
    for (const lane of this.lanes) lane.checkQueue();
    this.holdOffLanes();
    if (this.beganMs === undefined) return;
    for (const [index, figures] of this.sourceFigures().entries()) this.checkDrops(nowMs, index, figures);
    if (nowMs - this.addressesCheckedMs < ADDRESS_CHECK_MS) return;
    this.addressesCheckedMs = nowMs;
    this.followAddresses();
  }

  /** Sessions that wait for a lane that is away must not take the memory of those that go on elsewhere. */
  private holdOffLanes(): void {
    const isTight = this.engine.heldBytes * 2 > this.options.config.limits.heldBytesMax;
    const canOthersGoOn = this.lanes.some((lane) => lane.isUp);
    for (const lane of this.lanes) lane.holdOff(!lane.isUp && canOthersGoOn && isTight);
  }

  private checkDrops(nowMs: number, index: number, { name, drops }: SourceFigures): void {
    const { event, packets } = this.captures[index]!.alarm.check(nowMs, drops);
    if (event === 'none') return;
    const message =
      event === 'begins'
        ? 'the capture buffer is full and packets are not seen: requests with gaps are lost; a larger -B/--capture-buffer helps against bursts'
        : 'the capture buffer has room again';
    this.options.logger.warn({ interface: name, packets }, message);
  }

  /** Addresses of this host come and go; the filter names them. */
  private followAddresses(): void {
    const { config, localAddresses, logger } = this.options;
    const { filter } = capturePlan(config, localAddresses());
    if (filter === this.filter) return;
    try {
      for (const { source } of this.captures) source.setFilter(filter);
      this.filter = filter;
      logger.info("this host's addresses have changed: the capture follows them");
    } catch (error) {
      logger.error({ err: error }, "this host's addresses have changed, but the capture could not follow them");
    }
  }

  /** Undefined when all that should be copied can be. */
  unreadyReason(): string | undefined {
    return unreadyReason(this.lanes, this.sourceFigures());
  }

  figures(): CopyFigures {
    const cpu = process.cpuUsage(this.cpuAtBegin);
    return {
      elapsedMs: this.beganMs === undefined ? 0 : this.options.edges.nowMs() - this.beganMs,
      engine: { ...this.engine.counters },
      sessionsOpen: this.engine.sessionsOpen,
      lagMs: this.lagMs,
      sources: this.sourceFigures(),
      lanes: this.lanes.map((lane) => lane.figures()),
      cpuUserUs: cpu.user,
      cpuSystemUs: cpu.system,
      rssBytes: process.memoryUsage.rss(),
    };
  }

  private sourceFigures(): SourceFigures[] {
    return this.captures.map(({ source, before }) => {
      const { packets, drops, freezes, interfaceState } = source.statistics();
      return {
        name: source.name,
        packets: packets - before.packets,
        drops: drops - before.drops,
        freezes: freezes - before.freezes,
        interfaceState,
      };
    });
  }

  /** Resets every session at its target, gives that a moment to leave, closes everything. Returns the last figures. */
  async close(): Promise<CopyFigures> {
    this.pipeline.close();
    const figures = this.figures();
    for (const { source } of this.captures) source.close();
    const deadlineMs = this.options.edges.nowMs() + DRAIN_MS_MAX;
    await this.drainQueues(deadlineMs);
    for (const channel of this.channels) channel.close();
    // The farewell too.
    await this.drainQueues(deadlineMs);
    for (const lane of this.lanes) lane.sink.close();
    return figures;
  }

  private async drainQueues(deadlineMs: number): Promise<void> {
    do {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    } while (this.lanes.some((lane) => lane.queuedBytes > 0) && this.options.edges.nowMs() < deadlineMs);
  }
}

function downMessage(wasUp: boolean, everUp: boolean): string {
  if (wasUp) return 'channel to intercept lost: its sessions wait for it; trying again, production is not affected';
  if (everUp) return 'intercept is still away; trying again, production is not affected';
  return 'no channel to intercept yet; trying again, production is not affected';
}
