/** The hub's server, and what it does with who comes: see index.ts. */
import {
  CHANNEL_PORT,
  type CopySettings,
  encodeStop,
  FRAME,
  type Hello,
  type InterceptPodSettings,
} from '@trafficcopy/core';
import {
  type ChannelConnection,
  type ChannelError,
  ChannelServer,
  type GrantRefusal,
  type PeerIdentity,
} from '@trafficcopy/runtime';
import type { Registry } from 'prom-client';
import { type CopyIdentity, type JoinPolicy, parseCopyIdentity } from '../identity/index.js';
import { CopyLinks } from './copy-links.js';
import { addHubMetrics } from './hub-metrics.js';
import { InterceptLinks } from './intercept-links.js';
import type { CopyLinkState, HubChange, InterceptLinkState } from './link-state.js';
import type { Traffic } from './traffic.js';
import type { TrafficHub } from './traffic-hub.js';

/** Copies and intercepts of one cluster: 5,000 source pods with two TrafficCopies each, and their nodes. */
const CONNECTIONS_MAX = 16_384;
/** All copies of a large TrafficCopy may come at one time; who is pushed out comes again. */
const HANDSHAKES_MAX = 512;
/** What may wait for one peer: a few CONFIG frames of the largest kind. */
const QUEUE_BYTES_MAX = 4 * 1024 * 1024;
const SWEEP_INTERVAL_MS = 10_000;

export interface HubOptions {
  readonly policy: JoinPolicy;
  /** Default: all addresses. */
  readonly address?: string | undefined;
  /** Default 36524. */
  readonly port?: number | undefined;
  /** What the hub is called in WELCOME: the pod's name. */
  readonly name: string;
  /** Port of the leader's hub. Default 36524. */
  readonly leaderPort?: number | undefined;
  readonly connectionsMax?: number | undefined;
  readonly now?: (() => number) | undefined;
  /** A newcomer got its certificate. */
  onJoin?: ((identity: PeerIdentity, remote: string) => void) | undefined;
  /** Somebody was not let in: for the log; at most 20 a second. */
  onRefusal?: ((error: ChannelError, remote: string) => void) | undefined;
  /** A channel came or went: for the log. */
  onLink?: ((event: HubLinkEvent) => void) | undefined;
  /** Something inside failed, such as a TokenReview: for the log. */
  onFault?: ((error: Error) => void) | undefined;
}

export interface HubLinkEvent {
  readonly event: 'connected' | 'disconnected' | 'redirected';
  readonly identity: string;
  readonly remote: string;
  /** Why it ended. */
  readonly reason?: string | undefined;
}

/** Counted since the start. */
export interface HubCounters {
  joins: number;
  reports: number;
  /** Reports that could not be read, came too fast, or from a channel that is not the present one of its identity. */
  reportsRefused: number;
  redirects: number;
}

/** Who a connection is, by its certificate. */
type Member = { readonly copy: CopyIdentity } | { readonly node: string };
type Mode =
  | { readonly kind: 'leading'; readonly sinceMs: number }
  | { readonly kind: 'following'; readonly host?: string };

export class Hub implements TrafficHub {
  readonly #options: HubOptions;
  readonly #now: () => number;
  readonly #copies: CopyLinks;
  readonly #intercepts: InterceptLinks;
  readonly #listeners = new Set<(change: HubChange) => void>();
  readonly counters: HubCounters = { joins: 0, reports: 0, reportsRefused: 0, redirects: 0 };
  #server: ChannelServer | undefined;
  #sweepTimer: NodeJS.Timeout | undefined;
  #mode: Mode = { kind: 'following' };

  constructor(options: HubOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#copies = new CopyLinks(this.#now);
    this.#intercepts = new InterceptLinks(this.#now);
  }

  /** Listens; until {@link lead} or {@link follow} everybody is asked to come again. @throws {ChannelError} ERR_CHANNEL_LISTEN. */
  async listen(): Promise<void> {
    const { policy, address, port, name, connectionsMax, onJoin, onRefusal, onFault } = this.#options;
    const server = new ChannelServer({
      address,
      port: port ?? CHANNEL_PORT,
      credentials: await policy.serverCredentials(),
      authority: policy,
      hello: { role: 'operator', name, delivery: 'tunnel', capabilities: [], targets: [] },
      clientRoles: ['copy', 'intercept'],
      connectionsMax: connectionsMax ?? CONNECTIONS_MAX,
      handshakesMax: HANDSHAKES_MAX,
      queueBytesMax: QUEUE_BYTES_MAX,
      authorize: (hello, identity, remote) => this.#authorize(hello, identity, remote),
      onConnection: (connection) => this.#connected(connection),
      onFrame: (connection, type, bytes, offset, length) => this.#frame(connection, type, bytes, offset, length),
      onClose: (connection, reason) => this.#closed(connection, reason),
      onDrain: (connection) => this.#drained(connection),
      onJoin: (identity, remote) => {
        this.counters.joins += 1;
        onJoin?.(identity, remote);
      },
      onRefusal,
      onFault,
    });
    await server.listen();
    this.#server = server;
    this.#sweepTimer = setInterval(() => this.#sweep(), SWEEP_INTERVAL_MS);
    this.#sweepTimer.unref();
  }

  /** The port that is listened on; 0 before. */
  get port(): number {
    return this.#server?.port ?? 0;
  }

  /** Sockets that were not let in. */
  get refusals(): number {
    return this.#server?.refusals ?? 0;
  }

  get copiesConnected(): number {
    return this.#copies.connectedCount;
  }

  /** Copies that are remembered, connected or not. */
  get copiesKnown(): number {
    return this.#copies.size;
  }

  get interceptsConnected(): number {
    return this.#intercepts.connectedCount;
  }

  /** Says GOAWAY to all and stops listening; they go on with what they were told, and look for another replica. */
  async close(): Promise<void> {
    clearInterval(this.#sweepTimer);
    await this.#server?.close('this replica of the operator ends');
  }

  lead(): void {
    if (this.#mode.kind === 'leading') return;
    this.#mode = { kind: 'leading', sinceMs: this.#now() };
    this.#options.policy.isComplete = true;
  }

  follow(leaderHost: string | undefined): void {
    this.#mode = leaderHost === undefined ? { kind: 'following' } : { kind: 'following', host: leaderHost };
    this.#options.policy.isComplete = false;
    this.#copies.clear();
    this.#intercepts.clear();
    for (const connection of this.#server?.connections ?? []) this.#sendAway(connection);
  }

  get leadingMs(): number {
    return this.#mode.kind === 'leading' ? this.#now() - this.#mode.sinceMs : 0;
  }

  setCopySettings(podUid: string, trafficCopyUid: string, settings: CopySettings | undefined): boolean {
    return this.#copies.setSettings(podUid, trafficCopyUid, settings);
  }

  stopCopies(trafficCopyUid: string, message: string): void {
    this.#copies.stopAll(trafficCopyUid, message);
  }

  stopCopy(podUid: string, trafficCopyUid: string, message: string): void {
    this.#copies.stop(podUid, trafficCopyUid, message);
  }

  forgetCopies(trafficCopyUid: string): void {
    this.#copies.forget(trafficCopyUid);
  }

  setInterceptSettings(node: string, pods: readonly InterceptPodSettings[]): readonly string[] {
    return this.#intercepts.setSettings(node, pods);
  }

  copies(trafficCopyUid?: string): readonly CopyLinkState[] {
    return this.#copies.states(trafficCopyUid);
  }

  copy(podUid: string, trafficCopyUid: string): CopyLinkState | undefined {
    return this.#copies.state(podUid, trafficCopyUid);
  }

  intercepts(): readonly InterceptLinkState[] {
    return this.#intercepts.states();
  }

  intercept(node: string): InterceptLinkState | undefined {
    return this.#intercepts.state(node);
  }

  traffic(trafficCopyUid: string): Traffic {
    return this.#copies.traffic(trafficCopyUid);
  }

  onChange(listener: (change: HubChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Adds the hub's metrics; those of a TrafficCopy are labelled with its namespace and name. */
  addMetrics(registry: Registry): void {
    addHubMetrics(registry, this, this.#options.policy);
  }

  #authorize(hello: Hello, identity: PeerIdentity | undefined, remote: string): GrantRefusal | undefined {
    if (this.#mode.kind === 'following') {
      // Who is sent on is looked at by the leader.
      return this.#mode.host === undefined ? NO_LEADER : undefined;
    }
    return this.#options.policy.authorize(hello, identity, remote);
  }

  #connected(connection: ChannelConnection): void {
    const member = memberOf(connection);
    const { kind } = this.#mode;
    if (member === undefined) {
      connection.close('the certificate names nobody that is served here');
    } else if (kind === 'following') {
      this.#sendAway(connection);
    } else if ('node' in member) {
      this.#intercepts.attach(member.node, connection);
      this.#changed(member, connection, 'connected');
    } else if (this.#options.policy.findTrafficCopy(member.copy.trafficCopyUid) === undefined) {
      connection.send(FRAME.STOP, encodeStop({ message: 'the TrafficCopy is gone' }));
      connection.close('the TrafficCopy is gone');
    } else {
      this.#copies.attach(member.copy, connection);
      this.#changed(member, connection, 'connected');
    }
  }

  #sendAway(connection: ChannelConnection): void {
    const host = this.#mode.kind === 'following' ? this.#mode.host : undefined;
    if (host === undefined) {
      connection.close('this replica of the operator does not lead any more');
      return;
    }
    this.counters.redirects += 1;
    this.#options.onLink?.({ event: 'redirected', ...textOf(connection) });
    this.#server?.redirect(connection, host, this.#options.leaderPort ?? CHANNEL_PORT);
  }

  #frame(connection: ChannelConnection, type: number, bytes: Uint8Array, offset: number, length: number): void {
    const member = type === FRAME.STATS ? memberOf(connection) : undefined;
    if (member === undefined || this.#mode.kind === 'following') return;
    const outcome =
      'copy' in member
        ? this.#copies.report(member.copy, connection, bytes, offset, length)
        : this.#intercepts.report(member.node, connection, bytes, offset, length);
    if (outcome === 'refused') this.counters.reportsRefused += 1;
    else this.counters.reports += 1;
    if (outcome === 'changed') this.#tellListeners(member);
  }

  #closed(connection: ChannelConnection, reason: ChannelError): void {
    const member = memberOf(connection);
    if (member === undefined) return;
    const wasPresent =
      'copy' in member
        ? this.#copies.detach(member.copy, connection)
        : this.#intercepts.detach(member.node, connection);
    if (wasPresent) this.#changed(member, connection, 'disconnected', reason.message);
  }

  #drained(connection: ChannelConnection): void {
    const member = memberOf(connection);
    if (member === undefined) return;
    if ('copy' in member) this.#copies.drained(member.copy);
    else this.#intercepts.drained(member.node);
  }

  #changed(member: Member, connection: ChannelConnection, event: HubLinkEvent['event'], reason?: string): void {
    this.#options.onLink?.({ event, ...textOf(connection), reason });
    this.#tellListeners(member);
  }

  #tellListeners(member: Member): void {
    const change: HubChange =
      'copy' in member ? { kind: 'copy', ...member.copy } : { kind: 'intercept', node: member.node };
    for (const listener of this.#listeners) listener(change);
  }

  #sweep(): void {
    this.#copies.sweep((uid) => this.#options.policy.findTrafficCopy(uid) !== undefined);
    this.#intercepts.sweep();
  }
}

const NO_LEADER: GrantRefusal = {
  code: 'unavailable',
  message: 'no replica of the operator leads at the moment, or this one does not know which',
};

/** Undefined when the certificate names neither a copy nor an intercept. */
function memberOf(connection: ChannelConnection): Member | undefined {
  const { identity } = connection;
  if (identity?.role === 'intercept' && !identity.name.includes('/')) return { node: identity.name };
  const copy = identity?.role === 'copy' ? parseCopyIdentity(identity.name) : undefined;
  return copy === undefined ? undefined : { copy };
}

function textOf(connection: ChannelConnection): { identity: string; remote: string } {
  const { identity, remote } = connection;
  return { identity: identity === undefined ? 'nobody' : `${identity.role}/${identity.name}`, remote };
}
