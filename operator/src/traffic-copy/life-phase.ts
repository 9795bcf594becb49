import { type Observation, specOf } from './observation.js';

/** Where in its life a TrafficCopy is. */
export type LifePhase =
  | { readonly kind: 'deleting' }
  | { readonly kind: 'invalid'; readonly problems: readonly string[] }
  /** `endedAtMs`: when; `why` is a sentence. */
  | { readonly kind: 'completed'; readonly endedAtMs: number; readonly why: string }
  | { readonly kind: 'scheduled'; readonly startMs: number }
  | { readonly kind: 'suspended' }
  /** `endsAtMs`: when it completes; undefined: never by itself. */
  | { readonly kind: 'active'; readonly endsAtMs: number | undefined };

export function lifePhase(observation: Observation): LifePhase {
  const { trafficCopy, nowMs } = observation;
  if (trafficCopy.isDeleting) return { kind: 'deleting' };
  const spec = specOf(observation);
  if (spec === undefined || 'problems' in trafficCopy.spec) {
    return { kind: 'invalid', problems: 'problems' in trafficCopy.spec ? trafficCopy.spec.problems : [] };
  }
  const completedAtMs = timeOf(trafficCopy.status.completionTime);
  const startedAtMs = timeOf(trafficCopy.status.startTime);
  const durationEndMs = sum(startedAtMs, spec.durationMs);
  const endsAtMs = earliest(durationEndMs, spec.scheduleEndMs);
  if (completedAtMs !== undefined) return { kind: 'completed', endedAtMs: completedAtMs, why: 'it has ended' };
  if (endsAtMs !== undefined && endsAtMs <= nowMs) {
    const why = endsAtMs === durationEndMs ? 'spec.duration is over' : 'spec.schedule.end is over';
    return { kind: 'completed', endedAtMs: nowMs, why };
  }
  if (spec.scheduleStartMs !== undefined && spec.scheduleStartMs > nowMs) {
    return { kind: 'scheduled', startMs: spec.scheduleStartMs };
  }
  return spec.isSuspended ? { kind: 'suspended' } : { kind: 'active', endsAtMs };
}

/** Of a time in the status, ms since the epoch. */
export function timeOf(text: string | undefined): number | undefined {
  const timeMs = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

function sum(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one + other;
}

function earliest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}
