import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { FRAME, formatIpAddress, type Hello } from '@trafficcopy/core';
import {
  Authority,
  type ChannelConnection,
  ChannelServer,
  type PcapngRecorder,
  type ProgramLog,
} from '@trafficcopy/runtime';
import { requireCapabilities } from './capabilities.js';
import { CopyLinks } from './channel/copy-links.js';
import type { InterceptConfig } from './config.js';
import { createInterceptCounters } from './counters.js';
import type { PacketSender } from './injector/packet-sender.js';
import { RawPacketSender } from './injector/raw-packet-sender.js';
import type { InterceptFigures } from './intercept-figures.js';
import { INTERCEPT_LIMITS_DEFAULT, type InterceptLimits } from './limits.js';
import { Pipeline } from './pipeline.js';
import { QueueAlarm } from './queue-alarm.js';
import { responseSourceOpener } from './responses/open-response-source.js';
import type { ResponseSource } from './responses/response-source.js';
import { ReversePathAlarm } from './reverse-path-alarm.js';
import { namespaceHasIpv6 } from './rules/mark-sysctls.js';
import { KernelNamespace } from './rules/namespace-access.js';
import { RulesInstallation } from './rules/rules-installation.js';
import type { WorkerSlot } from './rules/worker-slot.js';
import { readLocalAddresses } from './targets/local-addresses.js';
import { TargetGate } from './targets/target-gate.js';

const TICK_MS = 250;
/** How often addresses of the namespace and counters of the kernel are looked at. */
const SURVEY_TICKS = 20;
/** The rules are looked at every second. */
const HOLD_TICKS = 4;
/** At the end: the target's last responses come within this time, or not at all. */
const SETTLE_MS_MAX = 500;
const SETTLE_POLL_MS = 20;
/** So long without a response means that there are no more. */
const SETTLE_POLLS = 3;
const STARTING = { code: 'unavailable', message: 'intercept is starting' } as const;
const IDENTITY_NAME = 'intercept';

export interface InterceptOptions {
  readonly config: InterceptConfig;
  readonly logger: ProgramLog['logger'];
  readonly recorder: PcapngRecorder | undefined;
  readonly limits?: InterceptLimits | undefined;
}

/** A running intercept: channel, rules, raw sockets and queue of one network namespace, and the walk between them. */
export class Intercept {
  readonly #options: InterceptOptions;
  readonly #limits: InterceptLimits;
  readonly #links: CopyLinks;
  readonly #counters = createInterceptCounters();
  readonly #queueAlarm = new QueueAlarm();
  readonly #startedMs = nowMs();
  readonly #cpuAtStart = process.cpuUsage();
  readonly #closers: (() => Promise<unknown> | unknown)[] = [];
  #authority: Authority | undefined;
  #server: ChannelServer | undefined;
  #pipeline: Pipeline | undefined;
  #source: ResponseSource | undefined;
  #sender: PacketSender | undefined;
  #rules: RulesInstallation | undefined;
  #isHolding = false;
  #targetUnknownSeen = 0;
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  /** Until then a Direct copy may take a connection for open that has ended, and send packets that a rule has to catch. */
  #unawareUntilMs = 0;
  #connections = 0;

  private constructor(options: InterceptOptions) {
    this.#options = options;
    this.#limits = options.limits ?? INTERCEPT_LIMITS_DEFAULT;
    this.#links = new CopyLinks(this.#limits.connectionsMax);
  }

  /**
   * Listens, opens the sockets, puts the rules in place, and serves.
   *
   * @throws ChannelError, NativeError, RulesError, StartError, StateError: everything is then as it was found.
   */
  static async open(options: InterceptOptions): Promise<Intercept> {
    const { netnsPath } = options.config;
    requireCapabilities(netnsPath);
    const intercept = new Intercept(options);
    try {
      await intercept.#listen();
      await intercept.#enter();
      return intercept;
    } catch (error) {
      await intercept.#undo();
      throw error;
    }
  }

  /** Issues a token for one more copy. Undefined with --insecure. */
  async issueToken(): Promise<string | undefined> {
    return await this.#authority?.issueToken({ lifetimeMs: this.#options.config.tokenTtlMs });
  }

  get slot(): WorkerSlot {
    return this.#rules!.slot;
  }

  /** What /readyz says: undefined while it serves. */
  unreadyReason(): string | undefined {
    return this.#rules === undefined ? 'the rules are not in place' : undefined;
  }

  figures(): InterceptFigures {
    const cpu = process.cpuUsage(this.#cpuAtStart);
    let queuedBytes = 0;
    for (const connection of this.#server?.connections ?? []) queuedBytes += connection.queuedBytes;
    return {
      elapsedMs: nowMs() - this.#startedMs,
      counters: { ...this.#counters, recordsRefused: { ...this.#counters.recordsRefused } },
      queue: this.#source?.statistics() ?? { packets: 0, queueDropped: 0, userDropped: 0 },
      sendErrors: this.#sender?.errors() ?? {},
      flows: this.#pipeline?.flows.size ?? 0,
      flowsMax: this.#limits.flowsMax,
      copies: this.#links.up,
      queuedBytes,
      connections: this.#connections,
      peersRefused: this.#server?.refusals ?? 0,
      cpuUserUs: cpu.user,
      cpuSystemUs: cpu.system,
      rssBytes: process.memoryUsage.rss(),
    };
  }

  /** Resets what copies left at the target, restores what was found, closes everything. Returns the last figures. */
  async close(): Promise<InterceptFigures> {
    clearInterval(this.#timer);
    await this.#server?.close('intercept ends');
    this.#pipeline?.close();
    await this.#outlastUnaware();
    await this.#settle();
    const figures = this.figures();
    await this.#undo();
    return figures;
  }

  async #listen(): Promise<void> {
    const { config, logger } = this.#options;
    if (!config.insecure) {
      this.#authority = await Authority.open({
        directory: config.stateDirectory,
        role: 'intercept',
        name: IDENTITY_NAME,
      });
    }
    const hello: Omit<Hello, 'version'> = {
      role: 'intercept',
      name: hostname(),
      delivery: 'tunnel',
      capabilities: [],
      targets: config.targets.flatMap(({ address, port }) =>
        address === undefined || port === undefined ? [] : [{ address: formatIpAddress(address), port }],
      ),
    };
    const server = new ChannelServer({
      address: config.bindAddress === undefined ? undefined : formatIpAddress(config.bindAddress),
      port: config.port,
      credentials: this.#authority === undefined ? 'insecure' : await this.#authority.serverCredentials(),
      authority: this.#authority,
      hello,
      clientRoles: ['copy'],
      connectionsMax: this.#limits.connectionsMax,
      queueBytesMax: this.#limits.connectionQueueBytesMax,
      authorize: () => (this.#pipeline === undefined ? STARTING : undefined),
      onConnection: (connection) => this.#connected(connection),
      onFrame: (connection, type, bytes, offset, length) => this.#frame(connection, type, bytes, offset, length),
      onClose: (connection, reason) => this.#closed(connection, reason),
      onRefusal: (error, remote) => logger.warn({ remote, err: error }, 'a peer was refused'),
      onJoin: (identity, remote) => logger.info({ remote, identity: identity.name }, 'a copy has joined'),
      onFault: (error) => logger.error({ err: error }, 'the channel has a fault'),
    });
    this.#server = server;
    this.#closers.push(() => server.close('intercept ends'));
    await server.listen();
  }

  /** Opens the sockets in the target's namespace, installs the rules there, and starts the walk. */
  async #enter(): Promise<void> {
    const { config, logger, recorder } = this.#options;
    const { netnsPath } = config;
    const access = new KernelNamespace(netnsPath);
    const hasIpv6 = await namespaceHasIpv6(access);
    const openSource = await responseSourceOpener(config.queue);
    const openSockets = (slot: WorkerSlot): boolean => {
      const { queueNumber, injectionMark } = slot;
      const source = openSource({ queueNumber, queueLengthMax: config.queueLengthMax, netnsPath });
      if (source === undefined) return false;
      this.#source = source;
      this.#closers.push(() => source.close());
      const sender = new RawPacketSender({ mark: injectionMark, hasIpv6, netnsPath });
      this.#sender = sender;
      this.#closers.push(() => sender.close());
      return true;
    };
    const rules = await RulesInstallation.install({
      access,
      stateDirectory: config.stateDirectory,
      instance: config.instance,
      queueNumber: config.queueNumber,
      iptables: config.iptables,
      openSockets,
    });
    this.#rules = rules;
    this.#closers.push(async () => {
      for (const note of await rules.restore()) logger.warn(note);
    });
    for (const note of rules.notes) logger.warn(note);
    const gate = new TargetGate({
      served: config.targets,
      allowedSources: config.allowedSources,
      passed: config.pass,
    });
    const readAddresses = () => readLocalAddresses(netnsPath === undefined ? undefined : access);
    gate.setLocalAddresses(await readAddresses());
    const pipeline = new Pipeline({
      sender: this.#sender!,
      source: this.#source!,
      gate,
      links: this.#links,
      counters: this.#counters,
      limits: this.#limits,
      seed: randomBytes(4).readInt32LE(),
      nowMs,
      recorder,
    });
    this.#closers.push(() => this.#source?.stop());
    pipeline.start();
    this.#pipeline = pipeline;
    const reversePath = new ReversePathAlarm(access);
    this.#timer = setInterval(() => this.#tick(gate, readAddresses, reversePath), TICK_MS);
    const { queueNumber } = rules.slot;
    logger.info(
      { port: config.port, queueNumber, iptables: rules.kind, instance: config.instance },
      'intercept serves',
    );
  }

  #connected(connection: ChannelConnection): void {
    const { logger } = this.#options;
    const link = this.#links.open(connection, undefined);
    if (link === undefined) {
      connection.close('too many copies are connected');
      return;
    }
    this.#connections += 1;
    const { peer, remote, identity } = connection;
    logger.info({ remote, copy: peer.name, identity: identity?.name, delivery: peer.delivery }, 'a copy is connected');
  }

  /** copy --frame--> intercept. Types that are not ours are skipped. */
  #frame(connection: ChannelConnection, type: number, bytes: Uint8Array, offset: number, length: number): void {
    const link = this.#links.of(connection);
    if (link === undefined || this.#pipeline === undefined) return;
    if (type === FRAME.PACKETS) this.#pipeline.packets(link, bytes, offset, length, false);
    else if (type === FRAME.REGISTER || type === FRAME.RELEASE)
      this.#pipeline.packets(link, bytes, offset, length, true);
  }

  #closed(connection: ChannelConnection, reason: Error): void {
    const link = this.#links.of(connection);
    if (link === undefined) return;
    this.#pipeline?.linkDown(link);
    const { remote, peer } = connection;
    if (peer.delivery === 'direct' && !connection.peerHasLeft) {
      this.#unawareUntilMs = nowMs() + this.#limits.unawareMs;
    }
    this.#options.logger.info({ remote, copy: peer.name, reason: reason.message }, 'a copy has gone');
  }

  #tick(gate: TargetGate, readAddresses: () => Promise<string[]>, reversePath: ReversePathAlarm): void {
    const { logger } = this.#options;
    this.#pipeline?.tick();
    this.#ticks += 1;
    if (this.#ticks % (1000 / TICK_MS) === 0 && this.#source !== undefined) {
      for (const message of this.#queueAlarm.check(nowMs(), this.#source.statistics())) logger.warn(message);
    }
    if (this.#ticks % HOLD_TICKS === 0) this.#holdRules();
    // A copy that is told of an unknown target may mean an address that has just come back.
    const { targetUnknown } = this.#counters.recordsRefused;
    const isAsked = this.#ticks % HOLD_TICKS === 0 && targetUnknown !== this.#targetUnknownSeen;
    if (!isAsked && this.#ticks % SURVEY_TICKS !== 0) return;
    this.#targetUnknownSeen = targetUnknown;
    const hasDirect = this.#links.all().some(({ connection }) => connection.peer.delivery === 'direct');
    const survey = async (): Promise<void> => {
      const addresses = await readAddresses();
      if (addresses.length > 0) gate.setLocalAddresses(addresses);
      const message = hasDirect ? await reversePath.check(hasDirect) : undefined;
      if (message !== undefined) logger.warn(message);
    };
    survey().catch((error: unknown) => logger.warn({ err: error }, 'the target namespace cannot be read'));
  }

  /** Rules that somebody else flushed or overtook let answers out to clients. */
  #holdRules(): void {
    const { logger } = this.#options;
    if (this.#isHolding || this.#rules === undefined) return;
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

  /** The target answers resets in a moment; after it, nothing comes that a rule would have to catch. */
  async #settle(): Promise<void> {
    const deadlineMs = nowMs() + SETTLE_MS_MAX;
    let before = -1;
    for (let quiet = 0; quiet < SETTLE_POLLS && nowMs() < deadlineMs; ) {
      await new Promise((resolve) => setTimeout(resolve, SETTLE_POLL_MS));
      this.#pipeline?.drain();
      quiet = this.#counters.responses === before ? quiet + 1 : 0;
      before = this.#counters.responses;
    }
  }

  /** In reverse order of making; one failure does not keep the others. */
  async #undo(): Promise<void> {
    clearInterval(this.#timer);
    for (const close of this.#closers.reverse()) {
      try {
        await close();
      } catch (error) {
        this.#options.logger.error({ err: error }, 'could not be undone');
      }
    }
    this.#closers.length = 0;
  }
}

function nowMs(): number {
  return Math.floor(performance.now());
}
