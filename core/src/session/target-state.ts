import type { TargetConfig } from '../engine-config.js';

/** Quiet times in a row that confirmed a PSH as the end of an answer before PSH alone is believed. */
const CONFIRMATIONS_FOR_TRUST = 3;
const CONFIRMATIONS_MAX = 16;

/** One server under test, with what its sessions have learnt about it. */
export class TargetState {
  readonly config: TargetConfig;
  /** Index over all targets of all mappings. */
  readonly index: number;
  #confirmations = 0;

  constructor(config: TargetConfig, index: number) {
    this.config = config;
    this.index = index;
  }

  /**
   * Whether a PSH ends this target's answers even where they are much shorter than online's: so far, after a PSH nothing
   * more came. Without it every turn of a target with shorter answers would wait for a quiet time.
   */
  get isPushTrusted(): boolean {
    return this.#confirmations >= CONFIRMATIONS_FOR_TRUST;
  }

  confirmPush(): void {
    if (this.#confirmations < CONFIRMATIONS_MAX) this.#confirmations += 1;
  }

  denyPush(): void {
    this.#confirmations = 0;
  }
}
