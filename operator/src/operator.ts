import { setTimeout as sleep } from 'node:timers/promises';
import { MetricsServer, type ProgramLog } from '@trafficcopy/runtime';
import { ProgramMetrics } from '@trafficcopy/runtime/metrics';
import { openAuthority, publishAuthority } from './authority-secret.js';
import { ClusterPods } from './cluster-pods.js';
import type { OperatorConfig } from './config.js';
import { Hub } from './hub/index.js';
import { ClusterAuthority, JoinPolicy } from './identity/index.js';
import { WebhookServer, webhookConfiguration } from './injection/index.js';
import {
  EventRecorder,
  KUBE_VERBS,
  KubeClient,
  type KubeConnection,
  LeaderElection,
  type Leadership,
  retryDelayMs,
  reviewToken,
} from './kube/index.js';
import { sidecarOrderOf } from './sidecar-orders.js';
import { ClusterCache, Controller, ControllerMetrics, type WebhookWish } from './traffic-copy/index.js';

type Logger = ProgramLog['logger'];

const LEASE_NAME = 'trafficcopy-operator';
/** Well before half of its life, so that a replica that runs for months never shows an old one. */
const CERTIFICATE_RENEWAL_MS = 24 * 3600 * 1000;
/** How long channels are kept that nobody is known to lead for. */
const LEAVE_MS = 30_000;
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 10_000;

/** One replica of the operator: everything that it is made of, put together. */
export class Operator {
  readonly #config: OperatorConfig;
  readonly #logger: Logger;
  readonly #client: KubeClient;
  readonly #metrics: ControllerMetrics;
  readonly #metricsServer: MetricsServer;
  readonly #cache: ClusterCache;
  readonly #closers: (() => unknown)[] = [];
  #authority: ClusterAuthority | undefined;
  #controller: Controller | undefined;
  #hub: Hub | undefined;
  #election: LeaderElection | undefined;
  #isLeader = false;
  /** Changes of leadership are gone through one after the other. */
  #transition: Promise<void> = Promise.resolve();
  #isReady = false;
  #leaveTimer: NodeJS.Timeout | undefined;

  constructor(config: OperatorConfig, logger: Logger, connection: KubeConnection) {
    this.#config = config;
    this.#logger = logger;
    const { registry } = new ProgramMetrics().addProcess();
    this.#metrics = new ControllerMetrics(registry, () => this.#figures());
    this.#client = new KubeClient({ connection, verbs: KUBE_VERBS, onCall: (call) => this.#metrics.called(call) });
    this.#metricsServer = new MetricsServer({
      address: config.metrics,
      registry,
      readiness: () => (this.#isReady ? undefined : 'the operator is starting'),
    });
    this.#cache = new ClusterCache({
      client: this.#client,
      onChange: (change) => this.#controller?.onClusterChange(change),
      onProblem: (resource, error) => logger.warn({ resource, err: error }, 'watching is interrupted'),
    });
    this.#registry = registry;
  }

  readonly #registry: ProgramMetrics['registry'];

  /**
   * Runs until `signal`. What the API server does not give is waited for.
   * @throws StartError, ChannelError: a port cannot be had
   */
  async start(signal: AbortSignal): Promise<void> {
    await this.#metricsServer.listen();
    this.#closers.push(() => this.#metricsServer.close());
    this.#authority = await this.#persist(signal, 'reading the authority', async () => {
      return new ClusterAuthority(await openAuthority(this.#client, this.#config.namespace));
    });
    if (this.#authority === undefined) return;
    const { hub, policy } = this.#makeHub(this.#authority);
    this.#controller = this.#makeController(hub, policy, this.#authority.certificate);
    await hub.listen();
    this.#closers.push(() => hub.close());
    await this.#serveWebhook(this.#authority);
    this.#closers.push(() => this.#cache.stop());
    await Promise.race([this.#cache.start(), aborted(signal)]);
    if (signal.aborted) return;
    this.#isReady = true;
    this.#logger.info({ pods: this.#cache.podCount }, 'the cluster is known');
    this.#elect();
  }

  /** Ends in order: what was begun is finished, another replica can lead at once. Copies and intercepts go on. Never rejects. */
  async stop(): Promise<void> {
    this.#isReady = false;
    await this.#transition;
    await this.#controller?.rest();
    await this.#election?.stop();
    for (const close of this.#closers.reverse()) {
      try {
        await close();
      } catch (error) {
        this.#logger.warn({ err: error }, 'closing');
      }
    }
    this.#client.connection.close();
  }

  #makeHub(authority: ClusterAuthority): { readonly hub: Hub; readonly policy: JoinPolicy } {
    const { namespace, interceptServiceAccount, instance, channelPort } = this.#config;
    const policy = new JoinPolicy({
      authority,
      pods: new ClusterPods(this.#cache, namespace),
      namespace,
      interceptServiceAccount,
      reviewToken: (token, audience) => reviewToken(this.#client, token, audience),
    });
    const logger = this.#logger;
    const hub = new Hub({
      policy,
      port: channelPort,
      name: instance,
      onJoin: ({ role, name }, remote) => logger.info({ role, name, remote }, 'joined'),
      // Probes and port scanners among them.
      onRefusal: (error, remote) => logger.debug({ remote, reason: error.message }, 'not let in'),
      onLink: (event) => logger.debug(event, 'channel'),
      onFault: (error) => logger.warn({ err: error }, 'hub'),
    });
    hub.addMetrics(this.#registry);
    this.#hub = hub;
    return { hub, policy };
  }

  #makeController(hub: Hub, policy: JoinPolicy, certificate: string): Controller {
    const { namespace, webhookService, container, instance } = this.#config;
    const logger = this.#logger;
    return new Controller({
      client: this.#client,
      cache: this.#cache,
      hub,
      policy,
      metrics: this.#metrics,
      container,
      events: new EventRecorder({
        client: this.#client,
        instance,
        onProblem: (error) => logger.debug({ err: error }, 'an event was not written'),
      }),
      buildWebhook: (wishes: readonly WebhookWish[]) =>
        webhookConfiguration(wishes, { namespace, name: webhookService, authority: certificate }),
      onFailure: (key, error) => logger.warn({ key, err: error }, 'tried again later'),
    });
  }

  async #serveWebhook(authority: ClusterAuthority): Promise<void> {
    const { namespace, webhookService, webhookPort, container } = this.#config;
    const hosts = [`${webhookService}.${namespace}.svc`, `${webhookService}.${namespace}.svc.cluster.local`];
    const server = new WebhookServer({
      port: webhookPort,
      credentials: await authority.webServerCredentials(hosts),
      orderOf: (uid) => sidecarOrderOf(this.#cache, uid, container),
      onReview: (outcome) => this.#metrics.reviewed(outcome),
    });
    await server.listen();
    const timer = setInterval(() => {
      authority.webServerCredentials(hosts).then(
        (credentials) => server.renew(credentials),
        (error: unknown) => this.#logger.warn({ err: error }, 'renewing the webhook’s certificate'),
      );
    }, CERTIFICATE_RENEWAL_MS);
    timer.unref();
    this.#closers.push(() => server.close());
    this.#closers.push(() => clearInterval(timer));
  }

  #elect(): void {
    const { namespace, instance, advertise, hasLeaderElection } = this.#config;
    if (!hasLeaderElection) {
      this.#become({ role: 'leader' });
      return;
    }
    this.#election = new LeaderElection({
      client: this.#client,
      namespace,
      name: LEASE_NAME,
      // The address behind the name: clients of the other replicas are sent there.
      identity: `${instance}_${advertise}`,
      onChange: (leadership) => this.#become(leadership),
      onProblem: (error) => this.#logger.warn({ err: error }, 'leader election'),
    });
    this.#election.start();
  }

  #become(leadership: Leadership): void {
    this.#transition = this.#transition
      .then(() => this.#changeRole(leadership))
      .catch((error: unknown) => this.#logger.error({ err: error }, 'changing roles'));
  }

  async #changeRole(leadership: Leadership): Promise<void> {
    if (leadership.role === 'leader') {
      this.#logger.info('this replica leads');
      this.#isLeader = true;
      clearTimeout(this.#leaveTimer);
      this.#controller?.lead();
      await this.#publish();
      return;
    }
    if (this.#isLeader) this.#logger.info('this replica does not lead any more');
    this.#isLeader = false;
    await this.#controller?.rest();
    this.#follow(leadership.leader);
  }

  /**
   * When nobody is known to lead, the API server is away, most likely: channels are kept for a while, as it is most likely that this replica leads again when it is back.
   */
  #follow(leader: string | undefined): void {
    clearTimeout(this.#leaveTimer);
    if (leader !== undefined) {
      this.#hub?.follow(leader.slice(leader.lastIndexOf('_') + 1));
      return;
    }
    this.#leaveTimer = setTimeout(() => this.#hub?.follow(undefined), LEAVE_MS);
    this.#leaveTimer.unref();
  }

  /** Without it no new intercept can join; the controller's work does not wait for it. */
  async #publish(): Promise<void> {
    const { namespace } = this.#config;
    try {
      await publishAuthority(this.#client, namespace, this.#authority!.certificate);
    } catch (error) {
      this.#logger.error({ err: error }, 'publishing the authority’s certificate');
      setTimeout(() => void (this.#isLeader && this.#publish()), RETRY_MS_MAX).unref();
    }
  }

  /** Tries until it succeeds. @returns undefined when `signal` came first */
  async #persist<Value>(signal: AbortSignal, what: string, work: () => Promise<Value>): Promise<Value | undefined> {
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        this.#logger.error({ err: error }, `${what} has failed and is tried again`);
        const delayMs = retryDelayMs(attempt, RETRY_MS_MIN, RETRY_MS_MAX, Math.random());
        await sleep(delayMs, undefined, { signal }).catch(() => {});
      }
    }
    return undefined;
  }

  #figures() {
    return {
      queueDepth: this.#controller?.queueDepth ?? 0,
      trafficCopies: [...this.#cache.trafficCopies()].length,
      podsKnown: this.#cache.podCount,
      isLeader: this.#isLeader,
    };
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
