import type { LifePhase } from './life-phase.js';
import { timeOf } from './life-phase.js';
import { type Observation, specOf } from './observation.js';
import type { SourcePlan } from './source-plan.js';

/** Load that is raised: from when to when, ms since the epoch. */
export interface RampState {
  readonly beganAtMs: number;
  readonly endsAtMs: number;
}

/**
 * The clock of spec.ramp, one for all copies: it begins when the first of them is at work, and anew when copying goes on after it was suspended, as it
 * is in the status only while copying goes on. Undefined: there is no ramp, or it has not begun.
 */
export function rampState(
  observation: Observation,
  phase: LifePhase,
  sources: SourcePlan | undefined,
): RampState | undefined {
  const rampMs = specOf(observation)?.rampMs;
  if (rampMs === undefined || phase.kind !== 'active') return undefined;
  const { status } = observation.trafficCopy;
  const isCopying = (sources?.copying ?? 0) > 0;
  const beganAtMs = timeOf(status.rampStartTime) ?? (isCopying ? observation.nowMs : undefined);
  return beganAtMs === undefined ? undefined : { beganAtMs, endsAtMs: beganAtMs + rampMs };
}
