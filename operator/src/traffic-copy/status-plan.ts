import type { CheckedSpec, Condition, TrafficCopyStatus, TrafficStatus } from '../api/index.js';
import { timestamp } from './condition-plan.js';
import type { LifePhase } from './life-phase.js';
import type { Observation } from './observation.js';
import { rampState } from './ramp-state.js';
import type { SourcePlan } from './source-plan.js';
import type { TargetPlan } from './target-plan.js';

const LOSSES_MAX = 64;

/** The whole status as it should stand. */
export function statusPlan(
  observation: Observation,
  spec: CheckedSpec | undefined,
  phase: LifePhase,
  sources: SourcePlan | undefined,
  targets: TargetPlan | undefined,
  conditions: readonly Condition[],
): TrafficCopyStatus {
  const { status, generation } = observation.trafficCopy;
  const selected = sources?.selected.length ?? 0;
  const copying = sources?.copying ?? 0;
  const states = (targets?.targets ?? []).map(({ target, selected: pods, ready }) => ({
    name: target.name,
    selected: pods,
    ready,
  }));
  const startTime = status.startTime ?? (copying > 0 ? timestamp(observation.nowMs) : undefined);
  const ramp = rampState(observation, phase, sources);
  const completionTime = phase.kind === 'completed' ? timestamp(phase.endedAtMs) : status.completionTime;
  return {
    observedGeneration: generation,
    conditions,
    sources: { selected, injected: sources?.injected ?? 0, copying },
    targets: states,
    ...figures(observation),
    ...(startTime === undefined ? {} : { startTime }),
    ...(ramp === undefined ? {} : { rampStartTime: timestamp(ramp.beganAtMs) }),
    ...(completionTime === undefined ? {} : { completionTime }),
    summary: {
      sources: `${copying}/${selected}`,
      targets: `${total(states, 'ready')}/${total(states, 'selected')}`,
      sample: spec === undefined ? '' : sampleText(spec),
    },
  };
}

/** Figures go on from what stands there: copies that ended before a new leader came are in no sum any more, so nothing is taken back to less. */
function figures({ traffic, trafficCopy, copies }: Observation): Pick<TrafficCopyStatus, 'traffic' | 'losses'> {
  const { status } = trafficCopy;
  const isSilent = copies.size === 0 && traffic.turnsCaptured === 0 && traffic.connections === 0;
  if (isSilent && status.traffic !== undefined) {
    const traffic: TrafficStatus = { ...status.traffic, sessionsOpen: 0, turnsPending: 0, turnsPerSecond: 0 };
    return { traffic, ...(status.losses === undefined ? {} : { losses: status.losses }) };
  }
  return {
    traffic: {
      connections: traffic.connections,
      sessionsOpen: traffic.sessionsOpen,
      turnsCaptured: traffic.turnsCaptured,
      turnsDelivered: traffic.turnsDelivered,
      turnsPending: traffic.turnsPending,
      turnsLost: traffic.turnsLost,
      turnsPerSecond: traffic.turnsPerSecond,
      lostPercent: traffic.lostPercent,
    },
    losses: traffic.losses.slice(0, LOSSES_MAX).map(({ reason, turns }) => ({ reason, turns })),
  };
}

function total(
  states: readonly { readonly ready: number; readonly selected: number }[],
  key: 'ready' | 'selected',
): number {
  return states.reduce((sum, state) => sum + state[key], 0);
}

function sampleText({ sampleFraction, multiply }: CheckedSpec): string {
  const percent = `${Number((sampleFraction * 100).toPrecision(4))}%`;
  return multiply === 1 ? percent : `${percent} x${multiply}`;
}
