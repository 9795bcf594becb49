/**
 * What the program may use, and the share of new connections that keeps it there.
 *
 *     pressure = use / budget, the larger one of CPU and memory
 *
 *       above 1      lower the share in proportion; what is still above later, or far above, ends sessions
 *       0.8 to 1     leave it: a share that was lowered aims at 0.9, so noise of a tenth moves nothing
 *       below 0.8    raise it, at most to where 0.9 would be reached if all use came from copying
 *
 * As what is used grows at most in proportion to the share, a rise cannot lead beyond the budget by itself. Where use follows late (long
 * sessions) it may; then the next rises come more slowly. Pure: time and what was measured are arguments.
 */
import { SHARE_PPM_MAX } from '@trafficcopy/core';

export interface BudgetLimits {
  /** Of one core; 0: no limit. */
  readonly cpuPercentMax: number;
  /** 0: no limit. */
  readonly memoryBytesMax: number;
}

/** Both budgets hold: of each limit the lower one that is there. */
export function tighterBudget(one: BudgetLimits, other: BudgetLimits): BudgetLimits {
  return {
    cpuPercentMax: lowerLimit(one.cpuPercentMax, other.cpuPercentMax),
    memoryBytesMax: lowerLimit(one.memoryBytesMax, other.memoryBytesMax),
  };
}

function lowerLimit(one: number, other: number): number {
  return one === 0 || other === 0 ? Math.max(one, other) : Math.min(one, other);
}

/** What the program used in the last interval. */
export interface Usage {
  readonly cpuPercent: number;
  readonly rssBytes: number;
}

const PRESSURE_AIM = 0.9;
const PRESSURE_LOW = 0.8;
/** So far above the budget sessions end, too. */
const PRESSURE_FAR = 1.5;
/** A lower share shows in the CPU after one interval or two, in memory when the garbage was collected. */
const CPU_SETTLE_MS = 2000;
const MEMORY_SETTLE_MS = 6000;
/** Above the budget for so long although the share was lowered: long sessions keep it there. */
const STUBBORN_MS = 6000;
/** Shortest time between two rises; the longest when rises led beyond the budget again and again. */
const RAISE_MS_MIN = 2000;
const RAISE_MS_MAX = 60_000;
const RAISE_FACTOR_MAX = 4;
/** A share below it is none; the first rise from none leads here. */
const SHARE_PPM_MIN = 1000;
const LOWER_FACTOR_MIN = 0.05;

export class SafetyBudget {
  #limits: BudgetLimits;
  #sharePpm = SHARE_PPM_MAX;
  #cpuPercent: number | undefined;
  #memoryPressure = 0;
  #pressure = 0;
  #overSinceMs: number | undefined;
  #loweredMs = Number.NEGATIVE_INFINITY;
  #raisedMs = Number.NEGATIVE_INFINITY;
  #shedMs = Number.NEGATIVE_INFINITY;
  #raiseMs = RAISE_MS_MIN;
  /** Whether the last change of the share was a rise. */
  #wasRaised = false;

  constructor(limits: BudgetLimits) {
    this.#limits = limits;
  }

  /** The share stays as it is, and is whole where nothing is limited. */
  setLimits(limits: BudgetLimits): void {
    this.#limits = limits;
    if (limits.cpuPercentMax === 0 && limits.memoryBytesMax === 0) this.#sharePpm = SHARE_PPM_MAX;
  }

  /** Of the connections that would be copied, the share that should be. */
  get sharePpm(): number {
    return this.#sharePpm;
  }

  get isInForce(): boolean {
    return this.#sharePpm < SHARE_PPM_MAX;
  }

  /** Use against budget; 1 is all of it. */
  get pressure(): number {
    return this.#pressure;
  }

  /**
   * Takes what the last interval (about a second) used. Returns the part of the running sessions that should end, 0 to 1, of those that the
   * share leaves out.
   */
  update({ cpuPercent, rssBytes }: Usage, nowMs: number): number {
    const { cpuPercentMax, memoryBytesMax } = this.#limits;
    // The mean of two intervals: one of them may hold a garbage collection.
    const cpu = (cpuPercent + (this.#cpuPercent ?? cpuPercent)) / 2;
    this.#cpuPercent = cpuPercent;
    const cpuPressure = cpuPercentMax === 0 ? 0 : cpu / cpuPercentMax;
    this.#memoryPressure = memoryBytesMax === 0 ? 0 : rssBytes / memoryBytesMax;
    this.#pressure = Math.max(cpuPressure, this.#memoryPressure);
    if (this.#pressure > 1) return this.#onOver(nowMs);
    this.#overSinceMs = undefined;
    if (this.#pressure < PRESSURE_LOW) this.#onRoom(nowMs);
    return 0;
  }

  #onOver(nowMs: number): number {
    const settleMs = this.#memoryPressure > 1 ? MEMORY_SETTLE_MS : CPU_SETTLE_MS;
    this.#overSinceMs ??= nowMs;
    if (nowMs - this.#loweredMs >= settleMs) this.#lower(nowMs);
    const overMs = nowMs - this.#overSinceMs;
    const isFar = this.#pressure >= PRESSURE_FAR && overMs >= settleMs;
    if (!isFar && overMs < STUBBORN_MS) return 0;
    if (nowMs - this.#shedMs < settleMs) return 0;
    this.#shedMs = nowMs;
    return 1 - PRESSURE_AIM / this.#pressure;
  }

  #lower(nowMs: number): void {
    if (this.#wasRaised && nowMs - this.#raisedMs < RAISE_MS_MAX) {
      this.#raiseMs = Math.min(2 * this.#raiseMs, RAISE_MS_MAX);
    }
    const share = this.#sharePpm * Math.max(PRESSURE_AIM / this.#pressure, LOWER_FACTOR_MIN);
    this.#sharePpm = share < SHARE_PPM_MIN ? 0 : Math.floor(share);
    this.#loweredMs = nowMs;
    this.#wasRaised = false;
  }

  #onRoom(nowMs: number): void {
    if (!this.isInForce) {
      if (nowMs - this.#raisedMs >= RAISE_MS_MAX) this.#raiseMs = RAISE_MS_MIN;
      return;
    }
    if (nowMs - Math.max(this.#loweredMs, this.#raisedMs) < this.#raiseMs) return;
    const factor = Math.min(PRESSURE_AIM / this.#pressure, RAISE_FACTOR_MAX);
    const share = Math.max(this.#sharePpm * factor, SHARE_PPM_MIN);
    this.#sharePpm = Math.min(Math.ceil(share), SHARE_PPM_MAX);
    this.#raisedMs = nowMs;
    this.#wasRaised = true;
  }
}
