import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import { datagramCapability, formatIpAddress, type Hello, PAYLOAD_CAPABILITY } from '@trafficcopy/core';
import {
  Authority,
  type ChannelAuthority,
  type ChannelConnection,
  ChannelServer,
  type GrantRefusal,
  type PcapngRecorder,
  type PeerIdentity,
  type ProgramLog,
  type ServerCredentials,
  StartError,
  type TellShared,
  type WireTunnel,
  WireTunnelServer,
} from '@trafficcopy/runtime';
import { requireCapabilities } from './capabilities.js';
import type { WireConfig } from './config/wire-config.js';
import type { InterceptConfig } from './config.js';
import { createInterceptCounters } from './counters.js';
import type { InterceptFigures } from './intercept-figures.js';
import { INTERCEPT_LIMITS_DEFAULT, type InterceptLimits, WIRE_PARKED_MS } from './limits.js';
import type { WorkerSlot } from './rules/worker-slot.js';
import { type HeldRules, TargetNamespace } from './target-namespace.js';
import { FlowBudget } from './targets/flow-budget.js';

const STARTING = { code: 'unavailable', message: 'intercept is starting' } as const;
const IDENTITY_NAME = 'intercept';
/** The rules are looked at every second. */
const HOLD_EVERY_S = 1;

/** What the program does for an intercept that is one of its workers. */
export interface WorkerPart {
  readonly slot: WorkerSlot;
  readonly credentials: ServerCredentials | 'insecure';
  readonly authority: ChannelAuthority | undefined;
  /** Whether a copy belongs here; undefined: it does. */
  readonly authorize: (hello: Hello, identity: PeerIdentity | undefined, remote: string) => GrantRefusal | undefined;
  /** For what all workers notice of the namespace. */
  readonly tellShared: TellShared;
  readonly onCopy: (connection: ChannelConnection, isUp: boolean) => void;
}

export interface InterceptOptions {
  readonly config: InterceptConfig;
  readonly logger: ProgramLog['logger'];
  readonly recorder: PcapngRecorder | undefined;
  readonly limits?: InterceptLimits | undefined;
  /** The rules are the program's, and so are the port and the authority. */
  readonly part?: WorkerPart | undefined;
}

/** A running intercept of one network namespace: the channel, and the namespace that it serves. */
export class Intercept {
  readonly #options: InterceptOptions;
  readonly #limits: InterceptLimits;
  readonly #startedMs = nowMs();
  readonly #cpuAtStart = process.cpuUsage();
  #authority: Authority | undefined;
  #server: ChannelServer | undefined;
  #tunnels: WireTunnelServer | undefined;
  #namespace: TargetNamespace | undefined;
  #connections = 0;

  private constructor(options: InterceptOptions) {
    this.#options = options;
    const limits = options.limits ?? INTERCEPT_LIMITS_DEFAULT;
    this.#limits = options.config.wire === undefined ? limits : { ...limits, parkedMs: WIRE_PARKED_MS };
  }

  /**
   * Listens, opens the sockets, puts the rules in place, and serves.
   *
   * @throws ChannelError, NativeError, RulesError, StartError, StateError: everything is then as it was found.
   */
  static async open(options: InterceptOptions): Promise<Intercept> {
    const { netnsPath } = options.config;
    if (options.part === undefined) requireCapabilities(netnsPath === undefined ? 'here' : 'netns');
    const intercept = new Intercept(options);
    try {
      await intercept.#listen();
      await intercept.#enter();
      return intercept;
    } catch (error) {
      await intercept.#server?.close('intercept could not start');
      throw error;
    }
  }

  /** Issues a token for one more copy. Undefined with --insecure. */
  async issueToken(): Promise<string | undefined> {
    return await this.#authority?.issueToken({ lifetimeMs: this.#options.config.tokenTtlMs });
  }

  /** A TCP connection that the program has accepted. */
  accept(socket: Socket): void {
    this.#server!.accept(socket);
  }

  get slot(): WorkerSlot {
    return this.#namespace!.slot;
  }

  /** What /readyz says: undefined while it serves. */
  unreadyReason(): string | undefined {
    return this.#namespace === undefined ? 'the rules are not in place' : undefined;
  }

  figures(): InterceptFigures {
    const cpu = process.cpuUsage(this.#cpuAtStart);
    let queuedBytes = 0;
    for (const connection of this.#server?.connections ?? []) queuedBytes += connection.queuedBytes;
    for (const tunnel of this.#tunnels?.tunnels ?? []) queuedBytes += tunnel.queuedBytes;
    return {
      elapsedMs: nowMs() - this.#startedMs,
      ...(this.#namespace?.figures() ?? NO_FIGURES),
      flowsMax: this.#limits.flowsMax,
      podsServing: 0,
      podsNotServing: 0,
      queuedBytes,
      connections: this.#connections,
      peersRefused: (this.#server?.refusals ?? 0) + (this.#tunnels?.refusals ?? 0),
      cpuUserUs: cpu.user,
      cpuSystemUs: cpu.system,
      rssBytes: process.memoryUsage.rss(),
      workers: 1,
      workerRestarts: 0,
    };
  }

  /** Resets what copies left at the target, restores what was found, closes everything. Returns the last figures. */
  async close(): Promise<InterceptFigures> {
    this.#tunnels?.close('intercept ends');
    await this.#server?.close('intercept ends');
    try {
      await this.#namespace?.leave();
    } catch (error) {
      this.#options.logger.error({ err: error }, 'could not be undone');
    }
    const figures = this.figures();
    this.#namespace?.release();
    return figures;
  }

  async #listen(): Promise<void> {
    const { config, logger, part } = this.#options;
    if (!config.insecure && part === undefined) {
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
      capabilities: [PAYLOAD_CAPABILITY, ...config.udpClients.map(datagramCapability)],
      targets: config.targets.flatMap(({ address, port }) =>
        address === undefined || port === undefined ? [] : [{ address: formatIpAddress(address), port }],
      ),
    };
    const refused = (error: Error & { readonly refusal?: string | undefined }, remote: string): void => {
      // One that is to come again, soon and elsewhere, is no cause for alarm.
      if (error.refusal === 'unavailable') logger.info({ remote, reason: error.message }, 'a peer was put off');
      else logger.warn({ remote, err: error }, 'a peer was refused');
    };
    this.#tunnels = config.wire && this.#tunnelServer(config.wire, refused);
    const server = new ChannelServer({
      address: config.bindAddress === undefined ? undefined : formatIpAddress(config.bindAddress),
      port: config.port,
      credentials: part?.credentials ?? (await this.#authority?.serverCredentials()) ?? 'insecure',
      authority: part?.authority ?? this.#authority,
      hello,
      clientRoles: ['copy'],
      connectionsMax: this.#limits.connectionsMax,
      queueBytesMax: this.#limits.connectionQueueBytesMax,
      authorize: (peer, identity, remote) =>
        this.#namespace === undefined ? STARTING : part?.authorize(peer, identity, remote),
      onConnection: (connection) => this.#connected(connection),
      onFrame: (connection, type, bytes, offset, length) =>
        this.#namespace?.frame(connection, type, bytes, offset, length),
      onClose: (connection, reason) => this.#closed(connection, reason),
      onRefusal: refused,
      onLook: (remote) => logger.debug({ remote }, 'somebody looked whether intercept is there, and left'),
      foreign: this.#tunnels,
      onJoin: (identity, remote) => logger.info({ remote, identity: identity.name }, 'a copy has joined'),
      onFault: (error) => logger.error({ err: error }, 'the channel has a fault'),
    });
    this.#server = server;
    if (part === undefined) await server.listen();
    else server.serve();
  }

  async #enter(): Promise<void> {
    const { config, logger, recorder, part } = this.#options;
    const options = {
      ...config,
      procPath: '/proc',
      served: config.targets,
      passed: config.pass,
      wire: config.wire?.traffic,
      limits: this.#limits,
      // The tables grow with the flows: a hash touches all of a table at once.
      flowBudget: new FlowBudget(this.#limits.flowsMax),
      holdEveryS: HOLD_EVERY_S,
      logger,
      tellShared: part?.tellShared,
      recorder,
    };
    const namespace =
      part === undefined
        ? await TargetNamespace.open(options)
        : await TargetNamespace.openWith(options, (_access, open) => rulesOfProgram(part.slot, open));
    this.#namespace = namespace;
    if (part !== undefined) return;
    const { queueNumber } = namespace.slot;
    logger.info(
      { port: config.port, queueNumber, iptables: namespace.kind, instance: config.instance },
      'intercept serves',
    );
  }

  /** C tcpcopies at the same port. */
  #tunnelServer({ versions }: WireConfig, onRefusal: (error: Error, remote: string) => void): WireTunnelServer {
    return new WireTunnelServer({
      versions,
      tunnelsMax: this.#limits.connectionsMax,
      queueBytesMax: this.#limits.connectionQueueBytesMax,
      onTunnel: (tunnel) => this.#tunnelConnected(tunnel),
      onMessage: (tunnel, bytes, offset) => this.#namespace?.registration(tunnel, bytes, offset),
      onClose: (tunnel, reason) => this.#closed(tunnel, reason),
      onRefusal,
    });
  }

  #tunnelConnected(tunnel: WireTunnel): boolean {
    if (this.#namespace?.tunnelConnected(tunnel) !== true) return false;
    this.#connections += 1;
    this.#options.logger.info({ remote: tunnel.remote, copy: tunnel.peer.name }, 'a C tcpcopy has opened a tunnel');
    return true;
  }

  #connected(connection: ChannelConnection): void {
    if (this.#namespace?.connected(connection, undefined) !== true) {
      connection.close('too many copies are connected');
      return;
    }
    this.#connections += 1;
    this.#options.part?.onCopy(connection, true);
    const { peer, remote, identity } = connection;
    this.#options.logger.info(
      { remote, copy: peer.name, identity: identity?.name, delivery: peer.delivery },
      'a copy is connected',
    );
  }

  #closed(connection: ChannelConnection, reason: Error): void {
    if (this.#namespace?.closed(connection) !== true) return;
    this.#options.part?.onCopy(connection, false);
    const { remote, peer } = connection;
    this.#options.logger.info({ remote, copy: peer.name, reason: reason.message }, 'a copy has gone');
  }
}

/** The program keeps them, for all of its workers. */
async function rulesOfProgram(slot: WorkerSlot, open: (slot: WorkerSlot) => boolean): Promise<HeldRules> {
  if (!open(slot)) {
    throw new StartError('ERR_START_QUEUE_BUSY', `another program reads NFQUEUE ${slot.queueNumber}`);
  }
  return { slot, kind: 'nft', notes: [], hold: async () => [], restore: async () => [] };
}

const NO_FIGURES = {
  counters: createInterceptCounters(),
  queue: { packets: 0, queueDropped: 0, userDropped: 0 },
  sendErrors: {},
  flows: 0,
  copies: 0,
} as const;

function nowMs(): number {
  return Math.floor(performance.now());
}
