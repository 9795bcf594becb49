/**
 * A hub on loopback with an authority of its own, and programs that join and connect as copies and intercepts do. All of them come from
 * 127.0.0.1: `atLoopback` says whose address that is at the moment.
 */
import type { TestContext } from 'node:test';
import {
  type CopyReport,
  encodeCopyReport,
  encodeInterceptReport,
  FRAME,
  type InterceptReport,
} from '@trafficcopy/core';
import {
  authorityPin,
  ChannelClient,
  type ChannelConnection,
  type ChannelError,
  type ClientCredentials,
  createAuthority,
  type IssuerCredentials,
  type JoinToken,
  join,
  MemoryCredentialStore,
} from '@trafficcopy/runtime';
import { Hub, type HubChange, type HubOptions } from '../../src/hub/index.js';
import {
  ClusterAuthority,
  type ClusterAuthorityOptions,
  JoinPolicy,
  type KnownPod,
  type KnownPods,
  type TokenReviewStatus,
} from '../../src/identity/index.js';
import { COPY_REPORT } from './copy-report.js';
import { INTERCEPT_REPORT } from './intercept-report.js';

export const OPERATOR_NAMESPACE = 'trafficcopy-system';
export const SHOP = { namespace: 'shop', name: 'checkout', uid: '7d9c2a10-1111-4222-8333-444455556666' } as const;
export const OTHER = { namespace: 'shop', name: 'other', uid: '99999999-1111-4222-8333-444455556666' } as const;
export const SOURCE: KnownPod = { uid: 'aaaaaaaa-0000-4000-8000-000000000001', namespace: 'shop', nodeName: 'node-1' };
export const SECOND: KnownPod = { ...SOURCE, uid: 'aaaaaaaa-0000-4000-8000-000000000002' };
export const INTERCEPT: KnownPod = { uid: 'bbbb', namespace: OPERATOR_NAMESPACE, nodeName: 'node-2' };

/** Resolves when `condition` holds; rejects with `what` when it does not within the deadline. */
export async function until(what: string, condition: () => boolean, deadlineMs = 10_000): Promise<void> {
  const endMs = Date.now() + deadlineMs;
  while (!condition()) {
    if (Date.now() > endMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The operator's caches, as a test sets them. */
export class FakePods implements KnownPods {
  atLoopback: KnownPod | undefined;
  readonly sources = new Map<string, Set<string>>();
  readonly interceptNodes = new Set<string>();

  podAt(address: string): KnownPod | undefined {
    return address === '127.0.0.1' ? this.atLoopback : undefined;
  }

  isSource(trafficCopyUid: string, podUid: string): boolean {
    return this.sources.get(trafficCopyUid)?.has(podUid) ?? false;
  }

  hasIntercept(node: string): boolean {
    return this.interceptNodes.has(node);
  }
}

/** A program at the hub, with what it was told. */
export class Member {
  readonly client: ChannelClient;
  readonly frames: { readonly type: number; readonly value: Record<string, unknown> }[] = [];
  readonly downs: { readonly reason: ChannelError; readonly willRetry: boolean }[] = [];
  readonly renewed: ClientCredentials[] = [];
  readonly renewalFailures: string[] = [];
  ups = 0;
  /** The server that it is connected to, as it calls itself. */
  serverName = '';

  constructor(
    port: number,
    credentials: ClientCredentials,
    role: 'copy' | 'intercept',
    capabilities: readonly string[],
  ) {
    const targets = role === 'intercept' ? [{ address: '10.0.0.9', port: 36524 }] : [];
    this.client = new ChannelClient({
      host: '127.0.0.1',
      port,
      credentials,
      hello: { role, name: 'test', delivery: 'tunnel', capabilities, targets },
      serverRoles: ['operator'],
      random: () => 0,
      onUp: (connection) => {
        this.ups += 1;
        this.serverName = connection.peer.name;
      },
      onFrame: (_connection, type, bytes, offset, length) => {
        const value: unknown = JSON.parse(Buffer.from(bytes.subarray(offset, offset + length)).toString());
        this.frames.push({ type, value: value as Record<string, unknown> });
      },
      onDown: (reason, willRetry) => this.downs.push({ reason, willRetry }),
      onRenewed: (renewed) => this.renewed.push(renewed),
      onRenewalFailed: (message) => this.renewalFailures.push(message),
    });
    this.client.start();
  }

  get connection(): ChannelConnection | undefined {
    return this.client.connection;
  }

  configs(): Record<string, unknown>[] {
    return this.frames.filter(({ type }) => type === FRAME.CONFIG).map(({ value }) => value);
  }

  stops(): unknown[] {
    return this.frames.filter(({ type }) => type === FRAME.STOP).map(({ value }) => value['message']);
  }

  report(change: Partial<CopyReport>): void {
    this.connection!.send(FRAME.STATS, encodeCopyReport({ ...COPY_REPORT, ...change }));
  }

  reportIntercept(change: Partial<InterceptReport>): void {
    this.connection!.send(FRAME.STATS, encodeInterceptReport({ ...INTERCEPT_REPORT, ...change }));
  }
}

export interface RigOptions {
  readonly issuer?: IssuerCredentials | undefined;
  readonly authority?: ClusterAuthorityOptions | undefined;
  readonly hub?: Partial<HubOptions> | undefined;
}

export class HubRig {
  readonly #test: TestContext;
  readonly pods = new FakePods();
  readonly authority: ClusterAuthority;
  readonly policy: JoinPolicy;
  readonly hub: Hub;
  readonly changes: HubChange[] = [];
  readonly refusals: ChannelError[] = [];
  readonly faults: Error[] = [];
  readonly joined: string[] = [];
  /** What the API server says about any token. */
  review: (token: string, audience: string) => Promise<TokenReviewStatus> = () =>
    Promise.resolve({ authenticated: false, error: 'not set by the test' });

  private constructor(t: TestContext, issuer: IssuerCredentials, options: RigOptions) {
    this.#test = t;
    this.authority = new ClusterAuthority(issuer, options.authority);
    this.policy = new JoinPolicy({
      authority: this.authority,
      pods: this.pods,
      namespace: OPERATOR_NAMESPACE,
      interceptServiceAccount: 'trafficcopy-intercept',
      reviewToken: (token, audience) => this.review(token, audience),
    });
    this.hub = new Hub({
      policy: this.policy,
      address: '127.0.0.1',
      port: 0,
      name: 'operator-0',
      onJoin: (identity) => this.joined.push(`${identity.role} ${identity.name}`),
      onRefusal: (error) => this.refusals.push(error),
      onFault: (error) => this.faults.push(error),
      ...options.hub,
    });
    this.hub.onChange((change) => this.changes.push(change));
  }

  /** A hub that listens, knows the TrafficCopy SHOP with the sources SOURCE and SECOND, and leads. */
  static async leading(t: TestContext, options: RigOptions = {}): Promise<HubRig> {
    const rig = new HubRig(t, options.issuer ?? (await createAuthority()), options);
    await rig.hub.listen();
    t.after(() => rig.hub.close());
    rig.policy.registerTrafficCopy(SHOP);
    rig.pods.sources.set(SHOP.uid, new Set([SOURCE.uid, SECOND.uid]));
    rig.pods.atLoopback = SOURCE;
    rig.pods.interceptNodes.add(INTERCEPT.nodeName);
    rig.hub.lead();
    return rig;
  }

  /** Joins from the pod at loopback. */
  async join(
    token: string | JoinToken = this.token(),
    role: 'copy' | 'intercept' = 'copy',
  ): Promise<ClientCredentials> {
    const store = new MemoryCredentialStore();
    const place = { host: '127.0.0.1', port: this.hub.port, serverRoles: ['operator'] } as const;
    return await join({ ...place, token, role, name: 'test', store });
  }

  token(): string {
    return this.authority.tokenOf(SHOP.namespace, SHOP.uid);
  }

  /** Joins as an intercept, with a token that the API server says is that of the pod at loopback. */
  async joinIntercept(): Promise<ClientCredentials> {
    this.pods.atLoopback = INTERCEPT;
    this.review = () => Promise.resolve(reviewOf(INTERCEPT));
    const token = { secret: 'header.payload.signature', pin: authorityPin(this.authority.certificate) };
    return await this.join(token, 'intercept');
  }

  connect(
    credentials: ClientCredentials,
    role: 'copy' | 'intercept' = 'copy',
    capabilities: readonly string[] = [],
    port: number = this.hub.port,
  ): Member {
    const member = new Member(port, credentials, role, capabilities);
    this.#test.after(() => member.client.close());
    return member;
  }

  /** A copy in the pod, connected. */
  async copyIn(pod: KnownPod, capabilities: readonly string[] = []): Promise<Member> {
    this.pods.atLoopback = pod;
    const member = this.connect(await this.join(), 'copy', capabilities);
    const isThere = (): boolean => this.hub.copy(pod.uid, SHOP.uid)?.isConnected === true;
    await until('both sides know of the channel', () => isThere() && member.connection !== undefined);
    return member;
  }
}

/** A token of the pod, as the API server tells it. */
export function reviewOf(pod: KnownPod, change: Partial<TokenReviewStatus> = {}): TokenReviewStatus {
  return {
    authenticated: true,
    audiences: ['trafficcopy.dev'],
    user: {
      username: `system:serviceaccount:${OPERATOR_NAMESPACE}:trafficcopy-intercept`,
      extra: {
        'authentication.kubernetes.io/pod-uid': [pod.uid],
        'authentication.kubernetes.io/node-name': [pod.nodeName],
      },
    },
    ...change,
  };
}
