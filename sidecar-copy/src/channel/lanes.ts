import {
  type AddressRange,
  containsRange,
  datagramRanges,
  type Engine,
  type FrameType,
  formatIpAddress,
  type IpAddress,
  PAYLOAD_CAPABILITY,
  parseIpAddress,
  payloadWish,
  type ResponseBatch,
} from '@trafficcopy/core';
import {
  ChannelError,
  type ClientCredentials,
  formatSocketAddress,
  type PcapngRecorder,
  type ProgramLog,
  StartError,
} from '@trafficcopy/runtime';
import type { ConnectPlan } from '../connect/connect-channel.js';
import type { CopyEdges } from '../copy-edges.js';
import { formatTarget, type LanePlan, laneKey } from '../copy-plan.js';
import { DirectSink } from '../sink/direct-sink.js';
import type { PacketSink } from '../sink/packet-sink.js';
import { TunnelSink } from '../sink/tunnel-sink.js';
import type { InterceptConnection } from './intercept-channel.js';
import { Lane } from './lane.js';
import type { WirePlan } from './wire-channel.js';

/** Octets that may wait for one intercept; at half of it no new session is started on the lane. */
const QUEUE_BYTES_MAX = 16 * 1024 * 1024;
/** A channel that stays away is told again after so long. */
const DOWN_LOG_INTERVAL_MS = 60_000;

/** Who proves to intercepts who we are. */
export interface LaneIdentity {
  /** What to show to the intercept of this lane; may take a while, and fail with a ChannelError. */
  readonly credentials: (lane: LanePlan) => Promise<ClientCredentials | 'insecure'>;
  /** An intercept that is its own authority renewed them. */
  readonly onRenewed: (lane: LanePlan, credentials: ClientCredentials) => void;
  /**
   * An operator directs us, and the intercepts of its cluster: what one refuses may be allowed later, and credentials are renewed elsewhere, but for
   * lanes with a token of their own.
   */
  readonly isManaged: boolean;
}

export interface LanesOptions extends LaneIdentity {
  readonly engine: Engine;
  readonly edges: CopyEdges;
  readonly logger: ProgramLog['logger'];
  readonly recorder: PcapngRecorder | undefined;
  readonly delivery: 'tunnel' | 'direct';
  /** What intercept calls us. */
  readonly name: string;
  /** The intercepts are C programs. */
  readonly wire: WirePlan | undefined;
  /** There are no intercepts: so many sockets may be open. */
  readonly connectSocketsMax?: number | undefined;
  /** Tells this process from another one with the same certificate. */
  readonly instance: number;
  /** What the workers of one program have in common. */
  readonly program: number;
  /** Octets of each response's payload that the intercepts are asked for; 0: none. */
  readonly responsePayloadBytes: number;
  /** Where datagrams are copied: the addresses that they come from. */
  readonly datagramSources: (() => readonly AddressRange[]) | undefined;
  readonly onResponses: (lane: number, batch: ResponseBatch) => void;
  readonly onOutput: () => void;
  /** So many octets went towards a target. */
  readonly onSent: (bytes: number) => void;
  readonly onUp: () => void;
  /** A lane can never work. */
  readonly onFatal: (error: Error) => void;
}

/** One lane with its channel. */
interface Way {
  readonly key: string;
  readonly plan: LanePlan;
  readonly lane: Lane;
  readonly channel: ReturnType<CopyEdges['openChannel']>;
  /** Why the channel is not up; undefined while it is, and before the first attempt has failed. */
  downReason: Error | undefined;
  /** Codes of the reasons that the log has since it was up. */
  readonly downCodesLogged: Set<string>;
  downLoggedMs: number;
}

/** The lanes of a copy: one for each that its plan names, opened and closed as plans come. */
export class Lanes {
  private readonly options: LanesOptions;
  private readonly ways = new Map<string, Way>();
  private isStarted = false;

  constructor(options: LanesOptions) {
    this.options = options;
  }

  get all(): Lane[] {
    return [...this.ways.values()].map(({ lane }) => lane);
  }

  get hasUp(): boolean {
    return this.all.some((lane) => lane.isUp);
  }

  get queuedBytes(): number {
    return this.all.reduce((sum, lane) => sum + lane.queuedBytes, 0);
  }

  /** By target, whether the way to it is up, and else why not. */
  targets(): { readonly target: string; readonly isUp: boolean; readonly downReason: Error | undefined }[] {
    return [...this.ways.values()].flatMap(({ plan, lane, downReason }) =>
      plan.targets.map((target) => ({ target: formatTarget(target), isUp: lane.isUp, downReason })),
    );
  }

  /**
   * Opens the lanes of `plans` that are not open yet.
   *
   * @returns the lanes, in the order of `plans`
   * @throws NativeError: no other lane is open then than before
   */
  open(plans: readonly LanePlan[]): Lane[] {
    const opened: Way[] = [];
    try {
      for (const plan of plans) {
        const key = laneKey(plan);
        if (this.ways.has(key)) continue;
        const way = this.openWay(key, plan);
        opened.push(way);
        this.ways.set(key, way);
      }
    } catch (error) {
      for (const way of opened) this.close(way);
      throw error;
    }
    if (this.isStarted) for (const { channel } of opened) channel.start();
    return plans.map((plan) => this.ways.get(laneKey(plan))!.lane);
  }

  /** Closes the lanes that `plans` do not name. What the engine has for them was sent. */
  closeOthers(plans: readonly LanePlan[]): void {
    const keys = new Set(plans.map(laneKey));
    for (const way of [...this.ways.values()]) if (!keys.has(way.key)) this.close(way);
  }

  private close({ key, lane, channel }: Way): void {
    this.ways.delete(key);
    channel.close();
    lane.down();
    lane.sink.close();
    this.options.engine.removeLane(lane.index, this.options.edges.nowMs());
  }

  private openWay(key: string, plan: LanePlan): Way {
    const { engine, edges, recorder, onResponses, onOutput, onSent } = this.options;
    const sink = this.openSink(plan);
    const index = engine.addLane();
    const lane = new Lane({
      index,
      name: plan.name ?? formatSocketAddress(plan),
      sink,
      engine,
      nowMs: () => edges.nowMs(),
      congestedBytes: QUEUE_BYTES_MAX / 2,
      onResponses: (number, batch) => {
        recorder?.recordResponses(number, batch);
        onResponses(number, batch);
      },
      onOutput,
      onSend: (batch) => {
        recorder?.recordReplay(index, batch);
        onSent(batch.length - batch.headroomBytes);
      },
    });
    const way: Way = {
      key,
      plan,
      lane,
      channel: this.openChannel(plan, lane, () => way),
      downReason: undefined,
      downCodesLogged: new Set(),
      downLoggedMs: Number.NEGATIVE_INFINITY,
    };
    return way;
  }

  private openSink({ targets }: LanePlan): PacketSink {
    const { delivery, edges, engine } = this.options;
    if (delivery === 'tunnel') return new TunnelSink();
    const addresses = targets.map(({ address }): IpAddress => parseIpAddress(address)!);
    const families = new Set(addresses.map((address): 4 | 6 => (address.length === 4 ? 4 : 6)));
    const senders = [...families].map((family) => edges.openSender(family));
    return new DirectSink(senders, (bytes, offset, end, mtuBytes) =>
      engine.noteTooBig(bytes, offset, end, mtuBytes, edges.nowMs()),
    );
  }

  private openChannel(plan: LanePlan, lane: Lane, way: () => Way): ReturnType<CopyEdges['openChannel']> {
    const { edges, logger, delivery, name, isManaged, wire, credentials, onRenewed } = this.options;
    const { host, port, targets } = plan;
    return edges.openChannel({
      host,
      port,
      hello: { role: 'copy', name, delivery, capabilities: this.capabilities(plan), targets },
      queueBytesMax: QUEUE_BYTES_MAX,
      credentials: () => credentials(plan),
      onRenewed: (renewed) => onRenewed(plan, renewed),
      onRenewalFailed: (message) => logger.warn({ intercept: lane.name }, `certificate not renewed: ${message}`),
      isRenewedElsewhere: isManaged && plan.tokenVariable === undefined,
      retriesRefusals: isManaged,
      onUp: (connection) => this.up(way(), connection),
      onFrame: (type, bytes, offset, length) => lane.frame(type as FrameType, bytes, offset, length),
      onDown: (reason, willRetry) => this.down(way(), reason, willRetry),
      onDrain: () => lane.checkQueue(),
      wire,
      connect: this.connectPlan(),
    });
  }

  private payloadBytes({ responsePayloadBytes }: LanePlan): number {
    return responsePayloadBytes ?? this.options.responsePayloadBytes;
  }

  private capabilities(plan: LanePlan): string[] {
    const { instance, program } = this.options;
    const responsePayloadBytes = this.payloadBytes(plan);
    // The instance lets intercept tell a process that reconnects from another one with the same certificate.
    const own = [`instance:${instance.toString(16)}`];
    // And how many copies are connected, where one has several workers.
    if (program !== instance) own.push(`program:${program.toString(16)}`);
    return responsePayloadBytes === 0 ? own : [...own, payloadWish(responsePayloadBytes)];
  }

  private connectPlan(): ConnectPlan | undefined {
    const { connectSocketsMax: socketsMax, responsePayloadBytes: keptBytesMax, logger } = this.options;
    if (socketsMax === undefined) return undefined;
    return { socketsMax, keptBytesMax, onProblem: (problem) => logger.warn(problem) };
  }

  private up(way: Way, connection: InterceptConnection): void {
    const { logger, onUp, wire, connectSocketsMax } = this.options;
    const { lane } = way;
    const problem = this.datagramProblem(connection);
    if (problem !== undefined) {
      this.refused(way, problem);
      return;
    }
    const wantsPayload = this.payloadBytes(way.plan) > 0 && wire === undefined;
    if (wantsPayload && !connection.peer.capabilities.includes(PAYLOAD_CAPABILITY)) {
      logger.warn(
        { intercept: lane.name },
        'this intercept is of an older version, which returns headers only: what needs the payload of responses does not work there; update it',
      );
    }
    way.downReason = undefined;
    way.downLoggedMs = Number.NEGATIVE_INFINITY;
    way.downCodesLogged.clear();
    const identity = connection.identity?.name ?? 'plain TCP';
    const { name: peer } = connection.peer;
    if (connectSocketsMax === undefined) {
      logger.info({ intercept: lane.name, peer, identity }, 'channel to intercept is up');
    }
    lane.up(connection);
    onUp();
  }

  /** Why an intercept cannot be used where datagrams are copied; undefined: it can. */
  private datagramProblem({ peer }: InterceptConnection): string | undefined {
    const { datagramSources } = this.options;
    if (datagramSources === undefined) return undefined;
    const taken = datagramRanges(peer.capabilities);
    if (taken.length === 0) {
      return 'this intercept takes no UDP: start it with --udp-clients and the ranges that -c has here, so that it keeps answers to them from leaving; an older one has to be updated';
    }
    const other = datagramSources().find((range) => !taken.some((outer) => containsRange(outer, range)));
    if (other === undefined) return undefined;
    const ranges = taken.map(formatRange).join(', ');
    return `this intercept takes UDP from ${ranges} only (its --udp-clients), and -c has others, like ${formatIpAddress(other.address)}`;
  }

  /** The channel is there, and of no use. It ends a copy that has never begun; later, intercept may come back as it was. */
  private refused(way: Way, problem: string): void {
    const { logger, onFatal } = this.options;
    const { lane } = way;
    way.downReason = new StartError('ERR_START_UDP', `${lane.name}: ${problem}`);
    if (lane.counters.connects === 0) onFatal(way.downReason);
    else logger.error({ intercept: lane.name }, `${problem}; nothing is copied there until it comes back with it`);
  }

  private down(way: Way, reason: Error, willRetry: boolean): void {
    const { edges, logger, onOutput, onFatal } = this.options;
    const { lane } = way;
    const wasUp = lane.isUp;
    way.downReason = reason;
    lane.down();
    onOutput();
    if (!willRetry) {
      onFatal(reason);
      return;
    }
    const nowMs = edges.nowMs();
    // Why it was lost is seldom why it does not come back.
    const code = reason instanceof ChannelError ? reason.code : '';
    const isKnown = way.downCodesLogged.has(code) && nowMs - way.downLoggedMs < DOWN_LOG_INTERVAL_MS;
    if (!wasUp && isKnown) return;
    way.downLoggedMs = nowMs;
    way.downCodesLogged.add(code);
    const waits =
      this.options.datagramSources === undefined ? 'its sessions wait for it' : 'datagrams are lost meanwhile';
    const message = downMessage(wasUp, lane.counters.connects > 0, waits);
    logger.warn({ intercept: lane.name, reason: reason.message }, message);
  }

  /** Connects, and every lane that is opened later at once. */
  start(): void {
    this.isStarted = true;
    for (const { channel } of this.ways.values()) channel.start();
  }

  /** Those of the operator; lanes with a token of their own have others. */
  setCredentials(credentials: ClientCredentials): void {
    for (const { channel, plan } of this.ways.values()) {
      if (plan.tokenVariable === undefined) channel.setCredentials(credentials);
    }
  }

  /** Tells the intercepts; what is queued goes out for a moment. */
  closeChannels(): void {
    for (const { channel } of this.ways.values()) channel.close();
  }

  closeSinks(): void {
    for (const { lane } of this.ways.values()) lane.sink.close();
  }
}

function formatRange({ address, prefixBits }: AddressRange): string {
  return `${formatIpAddress(address)}/${prefixBits}`;
}

function downMessage(wasUp: boolean, everUp: boolean, waits: string): string {
  if (wasUp) return `channel to intercept lost: ${waits}; trying again, production is not affected`;
  if (everUp) return 'intercept is still away; trying again, production is not affected';
  return 'no channel to intercept yet; trying again, production is not affected';
}
