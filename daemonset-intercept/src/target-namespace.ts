import { randomBytes } from 'node:crypto';
import { FRAME } from '@trafficcopy/core';
import {
  type AddressRange,
  type ChannelConnection,
  type PcapngRecorder,
  type ProgramLog,
  sharedTo,
  type TellShared,
  type WireTunnel,
} from '@trafficcopy/runtime';
import type { CopyLink } from './channel/copy-link.js';
import { CopyLinks } from './channel/copy-links.js';
import { wireRecords } from './channel/wire-records.js';
import type { ServedTarget } from './config/target-value.js';
import { localClient, refuseLocalClients, refuseNeededClients } from './config/udp-clients.js';
import { createInterceptCounters, type InterceptCounters } from './counters.js';
import type { PacketSender } from './injector/packet-sender.js';
import { RawPacketSender } from './injector/raw-packet-sender.js';
import type { InterceptLimits } from './limits.js';
import { Pipeline } from './pipeline.js';
import { QueueAlarm } from './queue-alarm.js';
import { responseSourceOpener } from './responses/open-response-source.js';
import type { ResponseSource, ResponseSourceStatistics } from './responses/response-source.js';
import { ReversePathAlarm } from './reverse-path-alarm.js';
import { namespaceHasIpv6 } from './rules/mark-sysctls.js';
import { KernelNamespace } from './rules/namespace-access.js';
import type { ProcessTable } from './rules/process-table.js';
import { RulesInstallation } from './rules/rules-installation.js';
import type { WireTraffic } from './rules/wire-rules.js';
import type { WorkerSlot } from './rules/worker-slot.js';
import { SocketRoomAlarm } from './socket-room-alarm.js';
import type { FlowBudget } from './targets/flow-budget.js';
import { readLocalAddresses } from './targets/local-addresses.js';
import { readNeededAddresses } from './targets/needed-addresses.js';
import { TargetGate, type TargetPattern } from './targets/target-gate.js';

const TICK_MS = 250;
const TICKS_PER_SECOND = 1000 / TICK_MS;
/** How often addresses of the namespace and counters of the kernel are looked at. */
const SURVEY_TICKS = 20;
/** At the end: the target's last responses come within this time, or not at all. */
const SETTLE_MS_MAX = 500;
const SETTLE_POLL_MS = 20;
/** So long without a response means that there are no more. */
const SETTLE_POLLS = 3;

export interface TargetNamespaceOptions {
  /** Undefined: the own one. */
  readonly netnsPath: string | undefined;
  /** Where the host's /proc is. */
  readonly procPath: string;
  readonly processes?: ProcessTable | undefined;
  readonly stateDirectory: string;
  /** Stands in the owner comment of the rules. */
  readonly instance: string;
  readonly iptables: 'auto' | 'legacy' | 'nft';
  readonly queue: 'native' | 'nfqueue';
  readonly queueNumber: number | undefined;
  readonly queueLengthMax: number;
  readonly served: readonly ServedTarget[];
  readonly allowedSources: readonly AddressRange[];
  readonly passed: readonly AddressRange[];
  /** Addresses, of nobody, that clients of datagrams have. Default: no datagrams are taken. */
  readonly udpClients?: readonly AddressRange[] | undefined;
  /** Copied by C tcpcopies; undefined: those are not served. */
  readonly wire?: WireTraffic | undefined;
  readonly limits: InterceptLimits;
  /** Undefined: the tables of flows have their full size from the start. */
  readonly flowBudget?: FlowBudget | undefined;
  /** How often the rules are looked at. */
  readonly holdEveryS: number;
  readonly logger: ProgramLog['logger'];
  /** What is of the namespace, which other workers notice as well. Default: to the logger. */
  readonly tellShared?: TellShared | undefined;
  readonly recorder: PcapngRecorder | undefined;
}

/** What keeps the responses of copied connections in the namespace. */
export type HeldRules = Pick<RulesInstallation, 'slot' | 'kind' | 'notes' | 'hold' | 'restore'>;

/** What one namespace has to tell of itself. */
export interface TargetNamespaceFigures {
  readonly counters: InterceptCounters;
  readonly queue: ResponseSourceStatistics;
  readonly sendErrors: Readonly<Record<string, number>>;
  readonly flows: number;
  readonly copies: number;
}

/** Rules, raw sockets and queue of one network namespace, the connections of the copies that are bound to it, and the walk between them. */
export class TargetNamespace {
  readonly #options: TargetNamespaceOptions;
  readonly #tellShared: TellShared;
  readonly #links: CopyLinks;
  readonly #gate: TargetGate;
  readonly #counters = createInterceptCounters();
  readonly #queueAlarm = new QueueAlarm();
  readonly #rules: HeldRules;
  readonly #source: ResponseSource;
  readonly #sender: PacketSender;
  readonly #pipeline: Pipeline;
  readonly #reversePath: ReversePathAlarm;
  /** Where datagrams are taken. */
  readonly #socketRoom: SocketRoomAlarm | undefined;
  readonly #readAddresses: () => Promise<string[]>;
  readonly #timer: NodeJS.Timeout;
  #isHolding = false;
  #isEnding = false;
  #targetUnknownSeen = 0;
  /** What was said last of an address in --udp-clients that the host has got. */
  #localClientTold: string | undefined;
  #ticks = 0;
  /** Until then a Direct copy may take a connection for open that has ended, and send packets that a rule has to catch. */
  #unawareUntilMs = 0;

  private constructor(
    options: TargetNamespaceOptions,
    access: KernelNamespace,
    rules: HeldRules,
    sockets: { readonly source: ResponseSource; readonly sender: PacketSender },
    gate: TargetGate,
    readAddresses: () => Promise<string[]>,
    socketRoom: SocketRoomAlarm | undefined,
  ) {
    this.#options = options;
    this.#tellShared = options.tellShared ?? sharedTo(options.logger);
    this.#rules = rules;
    this.#source = sockets.source;
    this.#sender = sockets.sender;
    this.#gate = gate;
    this.#readAddresses = readAddresses;
    this.#links = new CopyLinks(options.limits.connectionsMax);
    this.#pipeline = new Pipeline({
      ...sockets,
      gate,
      links: this.#links,
      counters: this.#counters,
      limits: options.limits,
      udpClients: options.udpClients,
      onClosedPort: (target) =>
        this.#tellShared({
          key: `closed ${target}`,
          level: 'warn',
          message: `${target} does not listen: ICMP port unreachable answers copied datagrams`,
        }),
      flowBudget: options.flowBudget,
      seed: randomBytes(4).readInt32LE(),
      nowMs,
      nowUs: () => performance.now() * 1000,
      recorder: options.recorder,
    });
    this.#reversePath = new ReversePathAlarm(access);
    this.#socketRoom = socketRoom;
    this.#pipeline.start();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /**
   * Opens the sockets in the target's namespace, installs the rules there, and starts the walk.
   *
   * @throws NativeError, RulesError, StartError: everything is then as it was found.
   */
  static async open(options: TargetNamespaceOptions): Promise<TargetNamespace> {
    return await TargetNamespace.openWith(options, (access, openSockets) =>
      RulesInstallation.install({ ...options, access, openSockets }),
    );
  }

  /**
   * As {@link TargetNamespace.open}; `install` puts the rules in place, after `openSockets` has opened what a slot needs.
   *
   * @throws NativeError, StartError, and what `install` throws: nothing is open then.
   */
  static async openWith(
    options: TargetNamespaceOptions,
    install: (access: KernelNamespace, openSockets: (slot: WorkerSlot) => boolean) => Promise<HeldRules>,
  ): Promise<TargetNamespace> {
    const { netnsPath, logger } = options;
    const access = new KernelNamespace(netnsPath, options.procPath);
    const readAddresses = () => readLocalAddresses(netnsPath === undefined ? undefined : access);
    const { udpClients = [] } = options;
    refuseLocalClients(udpClients, await readAddresses());
    if (udpClients.length > 0) refuseNeededClients(udpClients, await readNeededAddresses(access));
    const hasIpv6 = await namespaceHasIpv6(access);
    const openSource = await responseSourceOpener(options.queue);
    let sockets: { readonly source: ResponseSource; readonly sender: PacketSender } | undefined;
    const openSockets = ({ queueNumber, injectionMark }: WorkerSlot): boolean => {
      const source = openSource({ queueNumber, queueLengthMax: options.queueLengthMax, netnsPath });
      if (source === undefined) return false;
      try {
        sockets = { source, sender: new RawPacketSender({ mark: injectionMark, hasIpv6, netnsPath }) };
        return true;
      } catch (failure) {
        source.close();
        throw failure;
      }
    };
    let rules: HeldRules | undefined;
    try {
      rules = await install(access, openSockets);
      for (const note of rules.notes) logger.warn(note);
      const gate = new TargetGate(options);
      gate.setLocalAddresses(await readAddresses());
      const takesDatagrams = (options.udpClients ?? []).length > 0;
      const socketRoom = takesDatagrams ? new SocketRoomAlarm(access) : undefined;
      await socketRoom?.start();
      return new TargetNamespace(options, access, rules, sockets!, gate, readAddresses, socketRoom);
    } catch (failure) {
      await rules?.restore();
      sockets?.sender.close();
      sockets?.source.close();
      throw failure;
    }
  }

  get slot(): WorkerSlot {
    return this.#rules.slot;
  }

  /** Which iptables holds the rules. */
  get kind(): 'nft' | 'legacy' {
    return this.#rules.kind;
  }

  /** Of the namespace, canonical text. */
  get localAddresses(): ReadonlySet<string> {
    return this.#gate.localAddresses;
  }

  figures(): TargetNamespaceFigures {
    return {
      counters: { ...this.#counters, recordsRefused: { ...this.#counters.recordsRefused } },
      queue: this.#source.statistics(),
      sendErrors: this.#sender.errors(),
      flows: this.#pipeline.flows.size,
      copies: this.#links.copies,
    };
  }

  /** A copy is connected; `permitted` undefined: its identity does not restrict. False when all places are taken. */
  connected(connection: ChannelConnection, permitted: readonly TargetPattern[] | undefined): boolean {
    if (this.#isEnding || this.#links.open(connection, permitted) === undefined) return false;
    this.#pipeline.followWishes();
    return true;
  }

  /** A C tcpcopy has said its hello in a tunnel. False when all places are taken. */
  tunnelConnected(tunnel: WireTunnel): boolean {
    return !this.#isEnding && this.#links.open(tunnel, undefined, wireRecords(tunnel.format)) !== undefined;
  }

  /** tcpcopy --registration--> intercept */
  registration(tunnel: WireTunnel, bytes: Uint8Array, offset: number): void {
    const link = this.#links.of(tunnel);
    if (link !== undefined && !this.#isEnding) this.#pipeline.register(link, bytes, offset);
  }

  /** copy --frame--> intercept. Types that are not ours are skipped. */
  frame(connection: ChannelConnection, type: number, bytes: Uint8Array, offset: number, length: number): void {
    const link = this.#links.of(connection);
    if (link === undefined || this.#isEnding) return;
    if (type === FRAME.PACKETS) this.#pipeline.packets(link, bytes, offset, length, false);
    else if (type === FRAME.REGISTER || type === FRAME.RELEASE) {
      this.#pipeline.packets(link, bytes, offset, length, true);
    }
  }

  /** A connection ended. False when it was none of ours. */
  closed(connection: ChannelConnection): boolean {
    const link = this.#links.of(connection);
    if (link === undefined) return false;
    this.#pipeline.linkDown(link);
    this.#noteUnaware(link);
    return true;
  }

  /**
   * Asks again what each copy may reach, those included whose connection is lost. What it may no longer reach is reset at the
   * target; a copy that may reach nothing (undefined) is forgotten, and its connection, if any, returned: the caller expels it.
   */
  permit(permittedFor: (link: CopyLink) => readonly TargetPattern[] | undefined): ChannelConnection[] {
    const expelled: ChannelConnection[] = [];
    for (const link of this.#links.all()) {
      const permitted = permittedFor(link);
      if (permitted !== undefined) {
        link.permitted = permitted;
        this.#pipeline.enforce(link);
        continue;
      }
      if (link.isUp) expelled.push(link.connection);
      this.#noteUnaware(link);
      this.#pipeline.drop(link);
    }
    return expelled;
  }

  /**
   * Resets what copies left at the target, and restores what was found. The queue goes on being drained until that is done; after a
   * failure it can be tried again.
   *
   * @throws RulesError
   */
  async leave(): Promise<void> {
    clearInterval(this.#timer);
    if (!this.#isEnding) {
      this.#isEnding = true;
      this.#pipeline.close();
      await this.#outlastUnaware();
      await this.#outlastAnswers();
      await this.#settle();
      await this.#checkSocketRoom(true);
    }
    for (const note of await this.#rules.restore()) this.#options.logger.warn(note);
    this.release();
  }

  /** Closes the sockets, whatever is left in the namespace: rules without a reader drop what they catch. Idempotent. */
  release(): void {
    clearInterval(this.#timer);
    this.#source.stop();
    this.#sender.close();
    this.#source.close();
    this.#pipeline.release();
  }

  #noteUnaware({ connection }: CopyLink): void {
    if (connection.peer.delivery === 'direct' && !connection.peerHasLeft) {
      this.#unawareUntilMs = nowMs() + this.#options.limits.unawareMs;
    }
  }

  #tick(): void {
    const { logger, holdEveryS } = this.#options;
    this.#pipeline.tick();
    this.#ticks += 1;
    if (this.#ticks % TICKS_PER_SECOND !== 0) return;
    for (const message of this.#queueAlarm.check(nowMs(), this.#source.statistics())) logger.warn(message);
    if (this.#ticks % (TICKS_PER_SECOND * holdEveryS) === 0) this.#holdRules();
    // A copy that is told of an unknown target may mean an address that has just come back.
    const { targetUnknown } = this.#counters.recordsRefused;
    if (targetUnknown === this.#targetUnknownSeen && this.#ticks % SURVEY_TICKS !== 0) return;
    this.#targetUnknownSeen = targetUnknown;
    this.#survey().catch((error: unknown) => logger.warn({ err: error }, 'the target namespace cannot be read'));
  }

  async #survey(): Promise<void> {
    const addresses = await this.#readAddresses();
    if (addresses.length > 0) {
      this.#gate.setLocalAddresses(addresses);
      this.#noteLocalClient(addresses);
    }
    const hasDirect = this.#links.all().some(({ connection }) => connection.peer.delivery === 'direct');
    const message = hasDirect ? await this.#reversePath.check(hasDirect) : undefined;
    if (message !== undefined) this.#tellShared({ key: 'reversePath', level: 'warn', message });
    await this.#checkSocketRoom();
  }

  /** The host has got an address that should have been nobody's. Said once for each. */
  #noteLocalClient(addresses: readonly string[]): void {
    const clash = localClient(this.#options.udpClients ?? [], addresses);
    if (clash !== undefined && clash !== this.#localClientTold)
      this.#tellShared({ key: 'localClient', level: 'error', message: clash });
    this.#localClientTold = clash;
  }

  async #checkSocketRoom(isLast = false): Promise<void> {
    if (this.#counters.datagramsInjected === 0) return;
    const message = await this.#socketRoom?.check(nowMs(), isLast);
    if (message !== undefined) this.#tellShared({ key: 'socketRoom', level: 'warn', message });
  }

  /** Rules that somebody else flushed or overtook let answers out to clients. */
  #holdRules(): void {
    const { logger } = this.#options;
    if (this.#isHolding || this.#isEnding) return;
    this.#isHolding = true;
    this.#rules
      .hold()
      .then((wrong) => {
        for (const message of wrong)
          logger.error(`${message}; until now answers of the target may have reached clients`);
      })
      .catch((error: unknown) => logger.error({ err: error }, 'the rules are not in place and cannot be put back'))
      .finally(() => {
        this.#isHolding = false;
      });
  }

  /**
   * A Direct copy that did not end its side may be cut off or stopped. What it sends is answered by the target, and without the
   * rules the client would get that; so they stay until the copy has noticed the silence. The queue goes on being drained.
   */
  async #outlastUnaware(): Promise<void> {
    const waitMs = this.#unawareUntilMs - nowMs();
    if (waitMs <= 0) return;
    const seconds = Math.ceil(waitMs / 1000);
    this.#options.logger.warn(
      `a copy that sends directly did not take its end: the rules stay ${seconds} s longer, until it has noticed the silence`,
    );
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }

  /** A target may take its time for an answer to a datagram, and there is nothing by which to tell it that nobody waits. */
  async #outlastAnswers(): Promise<void> {
    const waitMs = this.#pipeline.lastDatagramMs + this.#options.limits.datagramAnswerMs - nowMs();
    if (waitMs <= 0) return;
    const seconds = Math.ceil(waitMs / 1000);
    this.#options.logger.info(`the rules stay ${seconds} s longer, for late answers to datagrams`);
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }

  /**
   * The target answers resets in a moment; after it, nothing comes that a rule would have to catch, but for very late answers to
   * datagrams: they go to addresses that nobody has.
   */
  async #settle(): Promise<void> {
    const deadlineMs = nowMs() + SETTLE_MS_MAX;
    let before = -1;
    for (let quiet = 0; quiet < SETTLE_POLLS && nowMs() < deadlineMs; ) {
      await new Promise((resolve) => setTimeout(resolve, SETTLE_POLL_MS));
      this.#pipeline.drain();
      const taken = this.#counters.responses + this.#counters.datagramAnswers;
      quiet = taken === before ? quiet + 1 : 0;
      before = taken;
    }
  }
}

function nowMs(): number {
  return Math.floor(performance.now());
}
