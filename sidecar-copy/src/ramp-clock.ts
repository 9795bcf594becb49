import type { Engine } from '@trafficcopy/core';
import type { CopyPlan } from './copy-plan.js';

/** As short as a ramp can be: it is over at once. */
const OVER_MS = 1;

export interface RampClockOptions {
  readonly engine: Pick<Engine, 'setRamp'>;
  /** How much of the ramp has passed before this begins, ms. */
  readonly passedMs: number;
  /** The ramp has come to its end. */
  readonly onOver: () => void;
}

/**
 * Keeps the engine's ramp as the plan has it. A ramp begins when the plan says so; else when copying begins, and anew when it goes on after it was
 * suspended.
 */
export class RampClock {
  readonly #options: RampClockOptions;
  #durationMs = 0;
  #plannedMs: number | undefined;
  /** When copying began, or went on. */
  #ownMs: number | undefined;
  #isCopying = false;
  #isOverTold = false;
  /** What the engine was told last. */
  #told = '';

  constructor(options: RampClockOptions) {
    this.#options = options;
  }

  /** The first channel is up. */
  begin(plan: CopyPlan, nowMs: number): void {
    this.#isCopying = true;
    if (!plan.isSuspended) this.#ownMs = nowMs - this.#options.passedMs;
    this.follow(plan, nowMs);
  }

  /** Another plan is in force. */
  follow({ ramp, isSuspended }: CopyPlan, nowMs: number): void {
    if (isSuspended) this.#ownMs = undefined;
    else if (this.#isCopying) this.#ownMs ??= nowMs;
    this.#durationMs = ramp?.durationMs ?? 0;
    this.#plannedMs = ramp?.beganMs;
    const beganMs = this.#beganMs;
    if (beganMs === undefined) return;
    // Without a ramp that was none before there is nothing to tell; one that is taken away is over.
    if (this.#durationMs === 0 && this.#told === '') return;
    const [beginMs, durationMs] = this.#durationMs === 0 ? [nowMs - OVER_MS, OVER_MS] : [beganMs, this.#durationMs];
    const told = this.#durationMs === 0 ? 'over' : `${beginMs} ${durationMs}`;
    if (told === this.#told) return;
    this.#told = told;
    this.#isOverTold = this.#durationMs === 0;
    this.#options.engine.setRamp(beginMs, durationMs);
  }

  /** How much of what should be copied in the end is copied by now, 0 to 1. */
  progress(nowMs: number): number {
    if (this.#durationMs === 0) return 1;
    const beganMs = this.#beganMs;
    return beganMs === undefined ? 0 : Math.min(Math.max((nowMs - beganMs) / this.#durationMs, 0), 1);
  }

  /** Call it every second while copying. */
  tick(nowMs: number): void {
    if (this.#isOverTold || this.#durationMs === 0 || this.progress(nowMs) < 1) return;
    this.#isOverTold = true;
    this.#options.onOver();
  }

  get #beganMs(): number | undefined {
    return this.#isCopying ? (this.#plannedMs ?? this.#ownMs) : undefined;
  }
}
