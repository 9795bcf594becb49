import type { Condition, ConditionType } from '../api/index.js';
import { credentialsProblem } from './credentials-state.js';
import type { LifePhase } from './life-phase.js';
import type { Observation } from './observation.js';
import type { Problem } from './problem.js';
import { type RampState, rampState } from './ramp-state.js';
import { reachProblem } from './reach-problem.js';
import type { SourcePlan } from './source-plan.js';
import type { TargetPlan } from './target-plan.js';

/** A condition before it is known since when it stands so. */
interface Finding {
  readonly isTrue: boolean;
  readonly reason: string;
  readonly message: string;
}

const MESSAGE_LENGTH_MAX = 2000;
/** What makes a TrafficCopy less than was asked for, so that it is not ready. */
const SERIOUS: ReadonlySet<string> = new Set(['EncryptedTraffic']);

export function conditionPlan(
  observation: Observation,
  phase: LifePhase,
  sources: SourcePlan | undefined,
  targets: TargetPlan | undefined,
  trouble: readonly Problem[],
): Condition[] {
  const findings: Record<ConditionType, Finding> = {
    SourcesInjected: sourcesFinding(phase, sources),
    TargetsReady: targetsFinding(phase, targets),
    Copying: copyingFinding(observation, phase, sources, targets),
    Degraded: degradedFinding(phase, trouble),
    Ready: { isTrue: false, reason: '', message: '' },
  };
  const reach = sources && targets && reachProblem(observation, sources, targets);
  const ramp = rampState(observation, phase, sources);
  findings.Ready = withRamp(readyFinding(phase, sources, findings, trouble, reach), observation, ramp);
  const order = ['Ready', 'SourcesInjected', 'TargetsReady', 'Copying', 'Degraded'] as const;
  return order.map((type) => condition(observation, type, findings[type]));
}

function condition({ trafficCopy, nowMs }: Observation, type: ConditionType, finding: Finding): Condition {
  const status = finding.isTrue ? 'True' : 'False';
  const before = trafficCopy.status.conditions?.find((one) => one.type === type);
  return {
    type,
    status,
    reason: finding.reason,
    message: finding.message.slice(0, MESSAGE_LENGTH_MAX),
    observedGeneration: trafficCopy.generation,
    lastTransitionTime: before?.status === status ? before.lastTransitionTime : timestamp(nowMs),
  };
}

export function timestamp(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}

/** What stands in place of everything else while nothing is copied by intention. */
function idleFinding(phase: LifePhase): Finding | undefined {
  switch (phase.kind) {
    case 'deleting':
      return {
        isTrue: false,
        reason: 'Deleting',
        message: 'it is being deleted; copies stop, and nodes are cleaned up',
      };
    case 'invalid':
      return { isTrue: false, reason: 'InvalidSpec', message: phase.problems.join('; ') };
    case 'completed':
      return { isTrue: false, reason: 'Completed', message: `${phase.why}; to copy again, create a new TrafficCopy` };
    case 'scheduled':
      return { isTrue: false, reason: 'Scheduled', message: `copying begins at ${timestamp(phase.startMs)}` };
    case 'suspended':
    case 'active':
      return undefined;
  }
}

function sourcesFinding(phase: LifePhase, sources: SourcePlan | undefined): Finding {
  const idle = idleFinding(phase);
  if (idle !== undefined || sources === undefined) return idle ?? unknownFinding();
  const { selected, injected, problems } = sources;
  const counts = `${injected} of ${selected.length} source pods hold a copy`;
  if (problems.length > 0) {
    const message = selected.length === 0 ? sentences(problems) : `${counts}; ${sentences(problems)}`;
    return { ...worst(problems), message };
  }
  if (injected < selected.length) {
    const why =
      phase.kind === 'suspended' ? 'the others get one when spec.suspend is false again' : 'the others get one now';
    return { isTrue: false, reason: 'CopiesStarting', message: `${counts}; ${why}` };
  }
  const hint = sources.hint === '' ? '' : `; ${sources.hint}`;
  return { isTrue: true, reason: 'Injected', message: counts + hint };
}

function targetsFinding(phase: LifePhase, targets: TargetPlan | undefined): Finding {
  const idle = idleFinding(phase);
  if (idle !== undefined || targets === undefined) return idle ?? unknownFinding();
  const empty = targets.targets.filter((target) => target.ready === 0).flatMap((target) => target.problems);
  if (empty.length > 0) return { ...worst(empty), message: sentences(empty) };
  const missing = targets.targets.flatMap((target) => target.problems);
  const hint = missing.length === 0 ? '' : `; ${sentences(missing)}`;
  return { isTrue: true, reason: 'Serving', message: `${servedText(targets)}${hint}` };
}

function servedText({ targets }: TargetPlan): string {
  const count = (kind: 'pods' | 'address'): number =>
    targets.filter(({ target }) => target.place.kind === kind).reduce((sum, { ready }) => sum + ready, 0);
  const [pods, addresses] = [count('pods'), count('address')];
  const texts = [
    ...(pods > 0 ? [`${pods} target ${pods === 1 ? 'pod is' : 'pods are'} served`] : []),
    ...(addresses > 0 ? [`${addresses} target ${addresses === 1 ? 'address is' : 'addresses are'} reached`] : []),
  ];
  return texts.join(', ');
}

function copyingFinding(
  observation: Observation,
  phase: LifePhase,
  sources: SourcePlan | undefined,
  targets: TargetPlan | undefined,
): Finding {
  const idle = idleFinding(phase);
  if (idle !== undefined || sources === undefined) return idle ?? unknownFinding();
  if (phase.kind === 'suspended') {
    return { isTrue: false, reason: 'Suspended', message: 'nothing is copied until spec.suspend is false again' };
  }
  const credentials = credentialsProblem(observation);
  if (credentials !== undefined) return { isTrue: false, ...credentials };
  const { copying, selected } = sources;
  if (copying > 0)
    return { isTrue: true, reason: 'Copying', message: `${copying} of ${selected.length} source pods are copied` };
  const isServed = targets?.targets.some((target) => target.ready > 0) === true;
  const message = isServed ? 'no copy is at work yet' : 'no copy is at work: no target is served';
  return { isTrue: false, reason: isServed ? 'NoCopy' : 'NoTarget', message };
}

function degradedFinding(phase: LifePhase, trouble: readonly Problem[]): Finding {
  const isIdle = idleFinding(phase) !== undefined;
  if (isIdle || trouble.length === 0)
    return { isTrue: false, reason: 'AsExpected', message: 'nothing is known that keeps it from copying' };
  return { isTrue: true, reason: trouble[0]!.reason, message: sentences(trouble) };
}

function readyFinding(
  phase: LifePhase,
  sources: SourcePlan | undefined,
  findings: Record<ConditionType, Finding>,
  trouble: readonly Problem[],
  reach: Problem | undefined,
): Finding {
  const idle = idleFinding(phase);
  if (idle !== undefined) return idle;
  for (const finding of [findings.TargetsReady, findings.SourcesInjected, findings.Copying]) {
    if (!finding.isTrue) return finding;
  }
  const serious = trouble.find(({ reason }) => SERIOUS.has(reason));
  if (serious !== undefined) return { isTrue: false, ...serious };
  const { copying = 0, selected = [] } = sources ?? {};
  const message = `${copying} of ${selected.length} source pods are copied`;
  if (copying < selected.length) return { isTrue: false, reason: 'CopiesStarting', message };
  if (reach !== undefined) return { isTrue: false, reason: reach.reason, message: `${message}; ${reach.message}` };
  return { isTrue: true, reason: 'Copying', message };
}

/** What was asked for is a load that rises: while it does, all is as it should be. */
function withRamp(ready: Finding, { nowMs }: Observation, ramp: RampState | undefined): Finding {
  if (!ready.isTrue || ramp === undefined || ramp.endsAtMs <= nowMs) return ready;
  const message = `${ready.message}; spec.ramp raises the load until ${timestamp(ramp.endsAtMs)}`;
  return { isTrue: true, reason: 'Ramping', message };
}

function unknownFinding(): Finding {
  return { isTrue: false, reason: 'Unknown', message: 'not known yet' };
}

function worst(problems: readonly Problem[]): { readonly isTrue: false; readonly reason: string } {
  return { isTrue: false, reason: problems[0]!.reason };
}

function sentences(problems: readonly Problem[]): string {
  return problems.map(({ message }) => message).join('; ');
}
