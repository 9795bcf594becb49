import { finish, mix } from '../flow/flow-hash.js';
import type { EndpointState } from './endpoint-state.js';
import type { Lanes } from './lanes.js';
import type { TargetMeter } from './target-meter.js';

/** Quiet times in a row that confirmed a PSH as the end of an answer before PSH alone is believed. */
const CONFIRMATIONS_FOR_TRUST = 3;
const CONFIRMATIONS_MAX = 16;
/** Answers before a target is known. */
const ANSWERS_UNTIL_KNOWN = 32;
/** A target that closes after one answer in so many is one that closes after answers. */
const ANSWERS_FOR_EACH_CLOSE = 20;
/** Both counts are halved here, so that a target may change its ways. */
const ANSWERS_MAX = 4096;

/** One server under test: its endpoints, with what its sessions have learnt about it. */
export class TargetState {
  readonly name: string;
  /** Settings with this number brought it: connections that began before join it at their next turn. */
  readonly revision: number;
  endpoints: readonly EndpointState[] = [];
  closesAfterAnswer: boolean | undefined = undefined;
  /** Whether it was taken out of the settings. */
  isGone = false;
  /** Is told what it does; undefined: nobody asks. */
  readonly meter: TargetMeter | undefined;
  #confirmations = 0;
  #answers = 0;
  #closes = 0;

  constructor(name: string, revision: number, meter?: TargetMeter) {
    this.name = name;
    this.meter = meter;
    this.revision = revision;
  }

  /**
   * The endpoint for a flow, by the highest random weight: the same one each time, and when an endpoint comes or goes only
   * its own flows move. One whose lane is down or congested is taken only if all are. Undefined: there is none.
   */
  endpointFor(flowHash: number, lanes: Lanes): EndpointState | undefined {
    let best: EndpointState | undefined;
    let bestWeight = -1;
    let isBestUsable = false;
    for (const endpoint of this.endpoints) {
      const isUsable = lanes.isUp(endpoint.lane) && !lanes.isCongested(endpoint.lane);
      const weight = finish(mix(flowHash, endpoint.hash));
      if (isUsable === isBestUsable ? weight <= bestWeight : isBestUsable) continue;
      best = endpoint;
      bestWeight = weight;
      isBestUsable = isUsable;
    }
    return best;
  }

  /**
   * Whether a PSH ends this target's answers even where they are much shorter than online's: so far, after a PSH nothing
   * more came. Without it every turn of a target with shorter answers would wait for a quiet time.
   */
  get isPushTrusted(): boolean {
    return this.#confirmations >= CONFIRMATIONS_FOR_TRUST;
  }

  /**
   * Whether this target may close right behind an answer: it has done so, or is not known yet. What it is sent in that
   * moment its kernel takes and its program never reads.
   */
  get mayCloseAfterAnswer(): boolean {
    if (this.closesAfterAnswer !== undefined) return this.closesAfterAnswer;
    return this.#answers < ANSWERS_UNTIL_KNOWN || this.#closes * ANSWERS_FOR_EACH_CLOSE > this.#answers;
  }

  noteAnswer(): void {
    this.#answers += 1;
    if (this.#answers < ANSWERS_MAX) return;
    this.#answers >>= 1;
    this.#closes >>= 1;
  }

  /** It closed while its client was still there. */
  noteClose(): void {
    this.#closes += 1;
  }

  confirmPush(): void {
    if (this.#confirmations < CONFIRMATIONS_MAX) this.#confirmations += 1;
  }

  denyPush(): void {
    this.#confirmations = 0;
  }
}
