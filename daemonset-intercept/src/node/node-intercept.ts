/**
 * Intercept on a node of a cluster: serves the network namespaces of many target pods, as the operator says.
 *
 *     operator ──CONFIG──▶ target pods ──one each──▶ target namespace (rules, sockets, gate, walk)
 *        ▲                     │ states                    ▲ frames
 *        └──────STATS──────────┘             copies ──▶ copy server (grants)
 *
 * One process and one event loop for all of them. The numbers of marks and queues are per namespace, so all use the same ones.
 * Without an operator everything goes on as it was said last. Two of these on one node (an update that overlaps) never work in one
 * namespace: who reads the queue there holds it, and the other waits until it is let go.
 */
import {
  formatIpAddress,
  type Hello,
  type InterceptPodReport,
  type InterceptReport,
  type InterceptSettings,
  PAYLOAD_CAPABILITY,
} from '@trafficcopy/core';
import { makeStateDirectory, type PcapngRecorder, type ProgramLog } from '@trafficcopy/runtime';
import { requireCapabilities } from '../capabilities.js';
import type { NodeConfig } from '../config/node-config.js';
import type { InterceptConfig } from '../config.js';
import type { InterceptFigures } from '../intercept-figures.js';
import { NODE_FLOWS_MAX, NODE_LIMITS } from '../limits.js';
import { namespaceTotals } from '../namespace-totals.js';
import { ProcessTable } from '../rules/process-table.js';
import { TargetNamespace } from '../target-namespace.js';
import { FlowBudget } from '../targets/flow-budget.js';
import { CopyServer } from './copy-server.js';
import { Leftovers } from './leftovers.js';
import type { NetworkNamespace } from './network-namespace.js';
import { OperatorLink } from './operator-link.js';
import { ProcessScan } from './process-scan.js';
import { TargetPod } from './target-pod.js';
import { TargetPods } from './target-pods.js';
import { Turnstile } from './turnstile.js';

const REPORT_MS = 1000;
/** Leftovers are looked for this often; there are hardly ever any. */
const LEFTOVER_TICKS = 5;
/** Namespaces that are prepared or left at a time: each takes about twenty short commands. */
const CHANGES_MAX = 4;
/** Rules are looked at this often. In a pod nobody but its own containers could change them, and each look takes commands. */
const HOLD_EVERY_S = 10;
/** So long leftovers wait for settings, which may want the same namespaces. */
const SETTINGS_WAIT_MS = 10_000;
/** At the end: what cannot be undone in this time stays for the next intercept. */
const LEAVE_MS_MAX = 25_000;

export interface NodeInterceptOptions {
  readonly config: InterceptConfig;
  readonly node: NodeConfig;
  readonly logger: ProgramLog['logger'];
  readonly recorder: PcapngRecorder | undefined;
}

export class NodeIntercept {
  readonly #options: NodeInterceptOptions;
  readonly #startedMs = nowMs();
  readonly #cpuAtStart = process.cpuUsage();
  readonly #budget = new FlowBudget(NODE_FLOWS_MAX);
  readonly #scan: ProcessScan;
  readonly #processes: ProcessTable;
  readonly #turnstile = new Turnstile(CHANGES_MAX);
  readonly #pods: TargetPods;
  readonly #leftovers: Leftovers;
  readonly #server: CopyServer;
  readonly #operator: OperatorLink;
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #revision = 0;
  #isReportDue = false;
  #isClosing = false;
  /** Of namespaces that were left. */
  #past = namespaceTotals([]);

  private constructor(options: NodeInterceptOptions) {
    const { config, node, logger } = options;
    this.#options = options;
    this.#scan = new ProcessScan(node.procPath, nowMs);
    this.#processes = new ProcessTable(node.procPath);
    this.#pods = new TargetPods((uid) => this.#createPod(uid));
    const { stateDirectory, instance } = config;
    const [processes, scan] = [this.#processes, this.#scan];
    this.#leftovers = new Leftovers({ stateDirectory, instance, ...node, processes, scan, nowMs, logger });
    const address = formatIpAddress(node.advertisedAddress);
    const hello: Omit<Hello, 'version'> = {
      role: 'intercept',
      name: node.nodeName,
      delivery: 'tunnel',
      capabilities: [PAYLOAD_CAPABILITY],
      targets: [{ address, port: config.port }],
    };
    this.#server = new CopyServer({
      address: config.bindAddress === undefined ? address : formatIpAddress(config.bindAddress),
      port: config.port,
      hello,
      pods: this.#pods,
      limits: NODE_LIMITS,
      nowMs,
      logger,
    });
    this.#operator = new OperatorLink({
      ...node,
      hello,
      logger,
      onCredentials: (credentials) => this.#server.use(credentials),
      onUp: () => this.#reportSoon(),
      onSettings: (settings) => this.#obey(settings),
      onStop: (message) => {
        logger.info({ message }, 'the operator ends the work on this node');
        this.#pods.want({ pods: [] });
      },
    });
  }

  /**
   * Starts: looks for leftovers and goes on trying to reach the operator.
   *
   * @throws StartError, StateError
   */
  static async open(options: NodeInterceptOptions): Promise<NodeIntercept> {
    requireCapabilities('node');
    await makeStateDirectory(options.config.stateDirectory);
    const intercept = new NodeIntercept(options);
    await intercept.#sweepLeftovers();
    intercept.#operator.start();
    intercept.#timer = setInterval(() => intercept.#tick(), REPORT_MS);
    return intercept;
  }

  /** What /readyz says: undefined while copies can connect. */
  unreadyReason(): string | undefined {
    return this.#server.isListening ? undefined : 'the operator has not been joined yet';
  }

  figures(): InterceptFigures {
    const cpu = process.cpuUsage(this.#cpuAtStart);
    const states = this.#podReports().map(({ state }) => state);
    const podsServing = states.filter((state) => state === 'serving').length;
    return {
      elapsedMs: nowMs() - this.#startedMs,
      ...namespaceTotals([this.#past, ...this.#namespaces().map((namespace) => namespace.figures())]),
      flowsMax: NODE_FLOWS_MAX,
      podsServing,
      podsNotServing: states.length - podsServing,
      queuedBytes: this.#server.queuedBytes,
      connections: this.#server.connections,
      peersRefused: this.#server.refusals,
      cpuUserUs: cpu.user,
      cpuSystemUs: cpu.system,
      rssBytes: process.memoryUsage.rss(),
      workers: 1,
      workerRestarts: 0,
    };
  }

  /** Leaves every namespace as it was found, says so, and ends. What cannot be done in time stays in journals for the next intercept. */
  async close(): Promise<InterceptFigures> {
    this.#isClosing = true;
    this.#pods.want({ pods: [] });
    const isDone = await inTime(this.#leaveAll(), LEAVE_MS_MAX);
    if (!isDone) {
      this.#options.logger.error(
        'some namespaces could not be restored in time: the next intercept on this node does it',
      );
      for (const pod of this.#pods.all()) pod.abandon();
    }
    clearInterval(this.#timer);
    this.#pods.sweep();
    this.#operator.report(this.#report());
    const figures = this.figures();
    await this.#server.close();
    await this.#operator.close();
    return figures;
  }

  async #leaveAll(): Promise<void> {
    await Promise.all(this.#pods.all().map((pod) => pod.over()));
    await this.#leftovers.sweep(() => Promise.resolve(new Set()), false);
  }

  #createPod(uid: string): TargetPod {
    return new TargetPod({
      uid,
      procPath: this.#options.node.procPath,
      scan: this.#scan,
      turnstile: this.#turnstile,
      nowMs,
      openNamespace: (namespace) => this.#openNamespace(uid, namespace),
      onChange: (pod) => this.#podChanged(pod),
      onServing: (pod) => this.#server.enforce(pod),
      onLeaving: (namespace) => this.#server.leave(namespace),
      onLeft: (namespace) => {
        this.#past = namespaceTotals([this.#past, { ...namespace.figures(), flows: 0, copies: 0 }]);
      },
    });
  }

  #openNamespace(uid: string, { path }: NetworkNamespace): Promise<TargetNamespace> {
    const { config, node, logger, recorder } = this.#options;
    return TargetNamespace.open({
      netnsPath: path,
      procPath: node.procPath,
      processes: this.#processes,
      stateDirectory: config.stateDirectory,
      instance: config.instance,
      iptables: config.iptables,
      queue: config.queue,
      queueNumber: config.queueNumber,
      queueLengthMax: config.queueLengthMax,
      served: [],
      allowedSources: [],
      passed: [],
      limits: NODE_LIMITS,
      flowBudget: this.#budget,
      holdEveryS: HOLD_EVERY_S,
      logger: logger.child({ pod: this.#pods.get(uid)?.settings?.name ?? uid }),
      recorder,
    });
  }

  #obey(settings: InterceptSettings): void {
    if (this.#isClosing) return;
    this.#options.logger.info({ revision: settings.revision, pods: settings.pods.length }, 'new settings');
    this.#pods.want(settings);
    this.#revision = settings.revision;
    for (const pod of this.#pods.all()) if (pod.settings !== undefined) this.#server.enforce(pod);
    this.#reportSoon();
    void this.#sweepLeftovers();
  }

  #podChanged(pod: TargetPod): void {
    const { state, message } = pod.report();
    const { logger } = this.#options;
    const details = { pod: pod.settings?.name ?? pod.uid, state, ...(message === '' ? {} : { message }) };
    if (state === 'failed') logger.error(details, 'a target pod');
    else if (!pod.isOver) logger.info(details, 'a target pod');
    this.#pods.sweep();
    this.#reportSoon();
  }

  #tick(): void {
    this.#ticks += 1;
    this.#pods.sweep();
    this.#operator.report(this.#report());
    if (this.#ticks % LEFTOVER_TICKS === 0 && !this.#isClosing) void this.#sweepLeftovers();
  }

  async #sweepLeftovers(): Promise<void> {
    const isWaiting = this.#revision === 0 && nowMs() - this.#startedMs < SETTINGS_WAIT_MS;
    await this.#leftovers.sweep(() => this.#takenNamespaces(), isWaiting);
  }

  /** Those that target pods work in, or are about to. */
  async #takenNamespaces(): Promise<ReadonlySet<string>> {
    const { byPod } = await this.#scan.run();
    const taken = new Set<string>();
    for (const pod of this.#pods.all()) {
      if (pod.inode !== undefined) taken.add(pod.inode);
      if (pod.settings !== undefined) for (const inode of byPod.get(pod.uid)?.keys() ?? []) taken.add(inode);
    }
    return taken;
  }

  /** All changes of one turn of the loop in one report. */
  #reportSoon(): void {
    if (this.#isReportDue) return;
    this.#isReportDue = true;
    setImmediate(() => {
      this.#isReportDue = false;
      this.#operator.report(this.#report());
    });
  }

  #report(): InterceptReport {
    const { counters, queue, flows, cpuUserUs, cpuSystemUs, rssBytes } = this.figures();
    return {
      kind: 'intercept',
      revision: this.#revision,
      pods: this.#podReports(),
      flows,
      packetsInjected: counters.packetsInjected,
      responses: counters.responses,
      queueDrops: queue.queueDropped + queue.userDropped,
      recordsRefused: counters.recordsRefused,
      cpuUs: cpuUserUs + cpuSystemUs,
      rssBytes,
    };
  }

  #podReports(): InterceptPodReport[] {
    return [...this.#leftovers.reports(), ...this.#pods.reports()];
  }

  #namespaces(): TargetNamespace[] {
    return this.#pods.all().flatMap((pod) => pod.namespace ?? []);
  }
}

function nowMs(): number {
  return Math.floor(performance.now());
}

/** False when the work was not done after `waitMs`. */
async function inTime(work: Promise<void>, waitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), waitMs);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
