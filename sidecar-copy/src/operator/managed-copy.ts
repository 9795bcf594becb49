import { type CopyReport, type CopySettings, ENGINE_LIMITS_DEFAULT } from '@trafficcopy/core';
import type { ClientCredentials, ProgramLog } from '@trafficcopy/runtime';
import type { LocalNetwork } from '../capture/local-network.js';
import type { CopyBasis } from '../config.js';
import { Copy } from '../copy.js';
import type { CopyEdges } from '../copy-edges.js';
import { type CopyFigures, noFigures } from '../copy-figures.js';
import { shareText } from '../copy-status.js';
import { tighterBudget } from '../safety-budget.js';
import { copyReport, emptyReport, type ReportFrame } from './copy-report.js';
import { LoginRefusals } from './login-refusals.js';
import { ManagedLogins } from './managed-logins.js';
import type { OutsideCredentials } from './outside-credentials.js';
import { type SettingsPlan, settingsPlan } from './settings-plan.js';

/** The part of the basis that a command line gives; the rest comes with the first settings. */
export type ManagedBasis = Omit<CopyBasis, 'delivery'>;

export interface ManagedCopyOptions {
  readonly basis: ManagedBasis;
  readonly edges: CopyEdges;
  readonly logger: ProgramLog['logger'];
  readonly seed: number;
  readonly localNetwork: () => LocalNetwork;
  /** For intercepts of the cluster; asked for when a lane connects, which is never before there were settings. */
  readonly credentials: () => ClientCredentials;
  /** For intercepts outside of it. */
  readonly outside: Pick<OutsideCredentials, 'get' | 'keep'>;
}

/** What could not be opened or changed is tried again after so long. */
const RETRY_MS = 5000;
/** A limit of the engine, whatever the settings say: sessions have numbers. */
const SESSIONS_MAX = 1_048_576;

/**
 * A copy that an operator directs. The first settings make it, later ones change it. Whatever goes wrong here is a problem in a report and tried
 * again, and never the end: a sidecar that ends could keep the pod of production from starting.
 */
export class ManagedCopy {
  private readonly options: ManagedCopyOptions;
  private copy: Copy | undefined;
  private settings: CopySettings | undefined;
  private receivedMs = 0;
  private readonly logins = new ManagedLogins();
  private readonly refusals = new LoginRefusals();
  /** What the copy was made with. */
  private made: CopySettings | undefined;
  private generation = 0;
  private planProblems: readonly string[] = [];
  /** Why the settings are not in force. */
  private fault: string | undefined;
  private retryAtMs = Number.POSITIVE_INFINITY;
  private isClosing = false;
  /** Once it is closed. */
  private lastFigures: CopyFigures | undefined;

  constructor(options: ManagedCopyOptions) {
    this.options = options;
  }

  /** operator --what to do from now on--> copy */
  apply(settings: CopySettings): void {
    if (this.isClosing) return;
    this.settings = settings;
    this.receivedMs = this.options.edges.nowMs();
    if (this.logins.follow(settings.credentials)) this.refusals.forget();
    this.tryToApply(settings);
  }

  private tryToApply(settings: CopySettings): void {
    const { edges, logger } = this.options;
    try {
      const planned = this.plan(settings);
      this.planProblems = planned.problems;
      if (this.copy === undefined) this.open(settings, planned);
      else this.copy.apply(planned.plan);
      this.generation = settings.generation;
      this.fault = undefined;
      this.retryAtMs = Number.POSITIVE_INFINITY;
      logger.info({ generation: settings.generation, state: settings.state }, 'settings of the operator are in force');
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.fault)
        logger.error({ err: error }, 'the settings of the operator cannot be put in force yet');
      this.fault = message;
      this.retryAtMs = edges.nowMs() + RETRY_MS;
    }
  }

  private plan(settings: CopySettings): SettingsPlan {
    const { basis, localNetwork } = this.options;
    const { logins } = this.logins;
    const { plan, problems } = settingsPlan(settings, localNetwork().addresses, this.receivedMs, logins);
    const budget = plan.budget && tighterBudget(basis.budget, plan.budget);
    // What a client says at online is for online: without the logins that were asked for, nothing is said to a target.
    const isSuspended = plan.isSuspended || logins === undefined;
    return { plan: { ...plan, budget, isSuspended }, problems };
  }

  private open(settings: CopySettings, { plan }: SettingsPlan): void {
    const { basis, edges, logger, seed, localNetwork, credentials, outside } = this.options;
    const { sessionsMax, heldBytesMax } = settings.limits;
    const copy = new Copy({
      basis: {
        ...basis,
        delivery: settings.delivery,
        limits: {
          ...basis.limits,
          sessionsMax: Math.min(sessionsMax, SESSIONS_MAX),
          heldBytesMax,
          heldBytesPerConnectionMax: Math.min(heldBytesMax, ENGINE_LIMITS_DEFAULT.heldBytesPerConnectionMax),
        },
      },
      plan,
      edges,
      logger,
      recorder: undefined,
      seed,
      localNetwork,
      identity: {
        credentials: async (lane) => (lane.tokenVariable === undefined ? credentials() : await outside.get(lane)),
        onRenewed: (lane, renewed) => outside.keep(lane, renewed),
        isManaged: true,
      },
      // What an intercept refuses may be allowed later.
      onFatal: () => {},
    });
    this.copy = copy;
    this.made = settings;
    copy.start();
  }

  setCredentials(credentials: ClientCredentials): void {
    this.copy?.setCredentials(credentials);
  }

  /** Call it every second. */
  tick(): void {
    this.copy?.tick();
    if (this.copy !== undefined) this.refusals.note(this.copy.loginProblems, this.options.edges.nowMs());
    const { settings } = this;
    if (settings !== undefined && this.options.edges.nowMs() >= this.retryAtMs) this.tryToApply(settings);
  }

  /** Undefined when all that should be copied can be. */
  unreadyReason(): string | undefined {
    if (this.fault !== undefined) return this.fault;
    return this.copy === undefined ? 'no settings from the operator yet' : this.copy.unreadyReason();
  }

  figures(): CopyFigures {
    return this.lastFigures ?? this.copy?.figures() ?? noFigures();
  }

  report(): CopyReport {
    const frame: ReportFrame = { generation: this.generation, state: this.state(), problems: this.problems() };
    return this.copy === undefined ? emptyReport(frame) : copyReport(frame, this.copy, this.figures());
  }

  private state(): CopyReport['state'] {
    if (this.copy === undefined || this.lastFigures !== undefined) return 'waiting';
    if (this.copy.isSuspended) return 'suspended';
    return this.copy.isCopying ? 'copying' : 'waiting';
  }

  private problems(): string[] {
    const problems = this.fault === undefined ? [] : [this.fault];
    if (this.logins.problem !== undefined) problems.push(this.logins.problem);
    problems.push(...this.planProblems, ...this.laterProblems(), ...this.refusals.problems(this.options.edges.nowMs()));
    if (this.copy === undefined || this.lastFigures !== undefined) return problems;
    if (this.copy.isOverBandwidth) problems.push('the bandwidth limit is reached: new connections are not copied');
    const { budgetShare } = this.copy;
    if (budgetShare < 1)
      problems.push(`${this.budgetText()} is used up: ${shareText(budgetShare)} of connections are copied`);
    for (const { name, interfaceState } of this.copy.figures().sources) {
      if (interfaceState !== 'up') problems.push(`interface ${name} is ${interfaceState}`);
    }
    for (const { target, isUp, downReason } of this.copy.targets()) {
      if (!isUp && downReason !== undefined) problems.push(`no way to target ${target}: ${downReason.message}`);
    }
    return problems;
  }

  private budgetText(): string {
    const { cpuPercentMax = 0, processBytesMax = 0 } = this.settings?.limits ?? {};
    const fields = [
      ...(cpuPercentMax > 0 ? ['spec.limits.cpu'] : []),
      ...(processBytesMax > 0 ? ['spec.limits.processMemory'] : []),
    ];
    return fields.length === 0 ? 'the safety budget' : `the safety budget (${fields.join(', ')})`;
  }

  /** What settings ask for that only a new copy can do. */
  private laterProblems(): string[] {
    const { settings, made } = this;
    if (settings === undefined || made === undefined) return [];
    const changed = [
      ...(settings.delivery === made.delivery ? [] : ['delivery']),
      ...(settings.limits.sessionsMax === made.limits.sessionsMax ? [] : ['limits.sessions']),
      ...(settings.limits.heldBytesMax === made.limits.heldBytesMax ? [] : ['limits.memory']),
    ];
    return changed.map((what) => `the change of ${what} applies to copies started from now on`);
  }

  /** Ends every session at its target. Returns the last report. */
  async close(): Promise<CopyReport> {
    this.isClosing = true;
    this.lastFigures = await this.copy?.close();
    return this.report();
  }
}
