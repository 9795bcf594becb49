import { type Engine, SHARE_PPM_MAX } from '@trafficcopy/core';
import type { ProgramLog } from '@trafficcopy/runtime';
import { type BudgetLimits, SafetyBudget, type Usage } from './safety-budget.js';

/** Share of the memory budget from which on memory that is not needed now goes back to the system. */
const GIVE_BACK_FROM = 0.8;
const PPM_OF_PERCENT = SHARE_PPM_MAX / 100;
const MB = 1024 * 1024;

export interface BudgetKeeperOptions {
  readonly limits: BudgetLimits;
  readonly engine: Pick<Engine, 'setBudgetShare' | 'shedOverBudget' | 'giveBackMemory' | 'sessionsOpen'>;
  readonly logger: ProgramLog['logger'];
  /** CPU time of the program so far, microseconds, and its memory. */
  readonly usage: () => ProgramUsage;
}

export interface ProgramUsage {
  readonly cpuUs: number;
  readonly rssBytes: number;
}

/** What the budget does just now. */
export interface BudgetFigures {
  /** Of the connections that would be copied, the share that is; 1 while there is room. */
  readonly share: number;
  /** Running sessions that were ended. */
  readonly sessionsShed: number;
}

/** Measures what the program uses, and keeps its engine within `--max-cpu` and `--max-memory`. */
export class BudgetKeeper {
  readonly #options: BudgetKeeperOptions;
  readonly #budget: SafetyBudget;
  #limits: BudgetLimits;
  #before: ProgramUsage;
  #beforeMs: number;
  #sessionsShed = 0;
  /** The share when the log spoke last, and whether it was about sessions that ended. */
  #toldPpm = SHARE_PPM_MAX;
  #hasToldShed = false;

  constructor(options: BudgetKeeperOptions, nowMs: number) {
    this.#options = options;
    this.#limits = options.limits;
    this.#budget = new SafetyBudget(options.limits);
    this.#before = options.usage();
    this.#beforeMs = nowMs;
  }

  /** Others from now on; the share goes on from where it is, and is whole without any limit. */
  setLimits(limits: BudgetLimits): void {
    this.#limits = limits;
    const before = this.#budget.sharePpm;
    this.#budget.setLimits(limits);
    if (this.#budget.sharePpm === before) return;
    this.#options.engine.setBudgetShare(this.#budget.sharePpm);
    this.#toldPpm = SHARE_PPM_MAX;
    this.#hasToldShed = false;
    this.#options.logger.info('there is no safety budget any more: all is copied');
  }

  /** What was used before does not count: call it when copying begins. */
  begin(nowMs: number): void {
    const { logger, usage } = this.#options;
    const limits = this.#limits;
    this.#before = usage();
    this.#beforeMs = nowMs;
    const { rssBytes } = this.#before;
    if (limits.memoryBytesMax === 0 || rssBytes < limits.memoryBytesMax * GIVE_BACK_FROM) return;
    logger.warn(
      { memoryMb: Math.round(rssBytes / MB), maxMemoryMb: limits.memoryBytesMax / MB },
      '-m/--max-memory leaves no room for sessions: the program alone takes most of it, so little or nothing will be copied; give more, or a smaller -B/--capture-buffer',
    );
  }

  /** Call it every second while copying. Drain the outputs afterwards. */
  tick(nowMs: number): void {
    const { engine } = this.#options;
    const limits = this.#limits;
    const intervalMs = nowMs - this.#beforeMs;
    if ((limits.cpuPercentMax === 0 && limits.memoryBytesMax === 0) || intervalMs <= 0) return;
    const now = this.#options.usage();
    const used: Usage = { cpuPercent: (now.cpuUs - this.#before.cpuUs) / (intervalMs * 10), rssBytes: now.rssBytes };
    this.#before = now;
    this.#beforeMs = nowMs;
    const before = this.#budget.sharePpm;
    const part = this.#budget.update(used, nowMs);
    if (this.#budget.sharePpm !== before) engine.setBudgetShare(this.#budget.sharePpm);
    const shed = part === 0 ? 0 : engine.shedOverBudget(Math.ceil(engine.sessionsOpen * part), nowMs);
    this.#sessionsShed += shed;
    if (now.rssBytes > limits.memoryBytesMax * GIVE_BACK_FROM && limits.memoryBytesMax > 0) engine.giveBackMemory();
    this.#tell(used, shed);
  }

  /** Says when it begins, when it becomes much worse, when sessions are ended, and when it is over. */
  #tell({ cpuPercent, rssBytes }: Usage, shed: number): void {
    const { logger } = this.#options;
    const limits = this.#limits;
    const { sharePpm } = this.#budget;
    const details = {
      sharePercent: sharePpm / PPM_OF_PERCENT,
      cpuPercent: Math.round(cpuPercent),
      memoryMb: Math.round(rssBytes / MB),
      ...(limits.cpuPercentMax === 0 ? {} : { maxCpuPercent: limits.cpuPercentMax }),
      ...(limits.memoryBytesMax === 0 ? {} : { maxMemoryMb: limits.memoryBytesMax / MB }),
    };
    if (shed > 0 && !this.#hasToldShed) {
      this.#hasToldShed = true;
      logger.warn(
        { ...details, sessions: shed },
        'far beyond the safety budget: running sessions are ended, newest first',
      );
    }
    if (this.#toldPpm < SHARE_PPM_MAX && sharePpm === SHARE_PPM_MAX) {
      logger.info({ ...details, sessionsShed: this.#sessionsShed }, 'within the safety budget again: all is copied');
      this.#toldPpm = sharePpm;
      this.#hasToldShed = false;
    } else if (sharePpm < this.#toldPpm / 2 || (sharePpm < this.#toldPpm && this.#toldPpm === SHARE_PPM_MAX)) {
      logger.warn(details, 'beyond the safety budget: fewer new connections are copied');
      this.#toldPpm = sharePpm;
    }
  }

  figures(): BudgetFigures {
    return { share: this.#budget.sharePpm / SHARE_PPM_MAX, sessionsShed: this.#sessionsShed };
  }
}
