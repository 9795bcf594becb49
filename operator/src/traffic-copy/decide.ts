import type { Condition, TrafficCopyStatus } from '../api/index.js';
import { CLEANUP_FINALIZER } from '../api/index.js';
import { cleanupState } from './cleanup-state.js';
import { conditionPlan } from './condition-plan.js';
import { copySettingsPlan } from './copy-settings-plan.js';
import { CREDENTIALS_MS } from './credentials-state.js';
import type { DecidedEvent, Decision } from './decision.js';
import { type LifePhase, lifePhase } from './life-phase.js';
import { type Observation, specOf } from './observation.js';
import { sourcePlan } from './source-plan.js';
import { statusPlan } from './status-plan.js';
import { RETURN_MS_MAX, type TargetPlan, targetPlan } from './target-plan.js';
import { troublePlan } from './trouble-plan.js';

/** Figures alone are written no more often. */
export const FIGURES_MS = 5000;
const NO_NODES: Decision['nodes'] = new Map();
/** Copies end within a fraction of a second; nobody waits longer for them before nodes are cleaned. */
const STOP_MS_MAX = 3000;
const NO_SETTINGS: Decision['copySettings'] = new Map();

/** What should be, given what is. Pure: the same observation gives the same decision. */
export function decide(observation: Observation): Decision {
  const phase = lifePhase(observation);
  switch (phase.kind) {
    case 'deleting':
      return decideEnd(observation);
    case 'invalid':
    case 'completed':
      return decideIdle(observation, phase);
    case 'scheduled':
      // The start was put off while copies were at work: they pause.
      return observation.copies.size > 0 ? decideWork(observation, phase) : decideIdle(observation, phase);
    case 'suspended':
    case 'active':
      return decideWork(observation, phase);
  }
}

/** Copies stop, nodes are cleaned; the finalizer holds the resource until that is done, or cannot be waited for any more. */
function decideEnd(observation: Observation): Decision {
  const { trafficCopy, nowMs } = observation;
  const isOurs = trafficCopy.finalizers.includes(CLEANUP_FINALIZER);
  const cleanup = cleanupState(observation);
  const isDone = cleanup.kind !== 'waiting';
  const event: DecidedEvent[] =
    cleanup.kind === 'givenUp' && isOurs
      ? [{ type: 'Warning', reason: 'CleanupIncomplete', message: cleanup.message }]
      : [];
  return {
    finalizer: isOurs && !isDone ? 'present' : 'absent',
    secret: isDone ? 'absent' : 'present',
    injections: [],
    stopAll: 'the TrafficCopy was deleted',
    stops: [],
    copySettings: NO_SETTINGS,
    nodes: nodesAtTheEnd(observation, trafficCopy.deletionAtMs),
    webhook: undefined,
    status: undefined,
    events: event,
    lookAgainMs: isDone ? undefined : Math.max(200, Math.min(1000, cleanup.untilMs - nowMs)),
  };
}

/** A target that goes while copies send to it is a lost channel to them, where an end in order is meant. */
function nodesAtTheEnd({ copies, nowMs }: Observation, endedAtMs: number): Decision['nodes'] {
  const isAtWork = [...copies.values()].some((copy) => copy.isConnected);
  return isAtWork && nowMs - endedAtMs < STOP_MS_MAX ? 'asBefore' : NO_NODES;
}

/** Nothing is copied by intention: not yet, not any more, or not this. */
function decideIdle(observation: Observation, phase: LifePhase): Decision {
  const conditions = conditionPlan(observation, phase, undefined, undefined, []);
  const status = statusPlan(observation, specOf(observation), phase, undefined, undefined, conditions);
  const isScheduled = phase.kind === 'scheduled';
  const nodes = phase.kind === 'completed' ? nodesAtTheEnd(observation, phase.endedAtMs) : NO_NODES;
  return {
    finalizer: 'present',
    secret: isScheduled ? 'present' : 'absent',
    injections: [],
    stopAll: stopMessage(phase),
    stops: [],
    copySettings: NO_SETTINGS,
    nodes,
    webhook: undefined,
    status: writable(observation, status),
    events: transitions(observation, conditions),
    lookAgainMs: isScheduled
      ? phase.startMs - observation.nowMs
      : nodes === 'asBefore'
        ? STOP_MS_MAX
        : lateFigures(observation, status),
  };
}

function stopMessage(phase: LifePhase): string | undefined {
  if (phase.kind === 'completed') return `the TrafficCopy has completed: ${phase.why}`;
  return phase.kind === 'invalid' ? 'the spec of the TrafficCopy cannot be read' : undefined;
}

function decideWork(
  observation: Observation,
  phase: LifePhase & { kind: 'active' | 'suspended' | 'scheduled' },
): Decision {
  const spec = specOf(observation)!;
  const sources = sourcePlan(observation, spec, phase);
  const targets = targetPlan(observation, spec);
  const copySettings = copySettingsPlan(observation, spec, phase, sources, targets);
  const trouble = troublePlan(observation, sources, targets);
  const conditions = conditionPlan(observation, phase, sources, targets, trouble);
  const status = statusPlan(observation, spec, phase, sources, targets, conditions);
  const isSettled = !isReturning(observation, sources.injected, targets);
  return {
    finalizer: 'present',
    secret: 'present',
    injections: sources.injections,
    stopAll: undefined,
    stops: sources.strays,
    copySettings,
    nodes: targets.nodes,
    webhook: sources.hasWebhook ? spec.sourceSelector : undefined,
    status: isSettled ? writable(observation, status) : undefined,
    events: isSettled ? transitions(observation, conditions) : [],
    lookAgainMs: nextLook(observation, phase, sources.retryAtMs, isSettled, status),
  };
}

/**
 * After a change of leaders copies and intercepts come back one by one. What is known until then is less than what is; the status of
 * the previous leader is nearer the truth.
 */
function isReturning(observation: Observation, injected: number, targets: TargetPlan): boolean {
  const { leadingMs, copies, trafficCopy } = observation;
  const wasCopying = (trafficCopy.status.sources?.copying ?? 0) > 0;
  if (!wasCopying || leadingMs > RETURN_MS_MAX) return false;
  const reported = [...copies.values()].filter((copy) => copy.report !== undefined).length;
  return !targets.isKnown || reported < injected;
}

function nextLook(
  observation: Observation,
  phase: LifePhase,
  retryAtMs: number | undefined,
  isSettled: boolean,
  status: TrafficCopyStatus,
): number | undefined {
  const { nowMs, copies } = observation;
  const times: number[] = [];
  if (!isSettled || observation.leadingMs < RETURN_MS_MAX) times.push(2000);
  if (retryAtMs !== undefined) times.push(retryAtMs - nowMs);
  if (phase.kind === 'active' && phase.endsAtMs !== undefined) times.push(phase.endsAtMs - nowMs);
  if (phase.kind === 'scheduled') times.push(phase.startMs - nowMs);
  if (observation.credentials !== undefined) times.push(CREDENTIALS_MS);
  // The hub's figures change without telling.
  if (copies.size > 0) times.push(FIGURES_MS);
  const late = lateFigures(observation, status);
  if (late !== undefined) times.push(late);
  return times.length === 0 ? undefined : Math.max(100, Math.min(...times));
}

/** The status when it is worth writing: at once when something changed that people wait for, later when only figures did. */
function writable(observation: Observation, status: TrafficCopyStatus): TrafficCopyStatus | undefined {
  const before = observation.trafficCopy.status;
  if (isSame(before, status)) return undefined;
  const isFiguresOnly = isSame(withoutFigures(before), withoutFigures(status));
  const isEarly = observation.nowMs - observation.memory.figuresAtMs < FIGURES_MS;
  return isFiguresOnly && isEarly ? undefined : status;
}

/** When figures that were held back can be written. */
function lateFigures(observation: Observation, status: TrafficCopyStatus): number | undefined {
  const { trafficCopy, memory, nowMs } = observation;
  const isHeldBack = !isSame(trafficCopy.status, status) && writable(observation, status) === undefined;
  return isHeldBack ? Math.max(0, memory.figuresAtMs + FIGURES_MS - nowMs) : undefined;
}

function withoutFigures({ traffic, losses, ...rest }: TrafficCopyStatus): object {
  return rest;
}

/** Events for conditions that came or went, or have another reason. */
function transitions({ trafficCopy }: Observation, conditions: readonly Condition[]): DecidedEvent[] {
  return conditions.flatMap((now): DecidedEvent[] => {
    const before = trafficCopy.status.conditions?.find(({ type }) => type === now.type);
    if (now.type !== 'Ready' && now.type !== 'Degraded') return [];
    if (before?.status === now.status && before.reason === now.reason) return [];
    if (before === undefined && now.reason === 'AsExpected') return [];
    const isBad = now.type === 'Ready' ? BAD.test(now.reason) : now.status === 'True';
    // What passes by itself within seconds is no event.
    const isNews = isBad || now.type === 'Degraded' || GOOD.test(now.reason);
    return isNews ? [{ type: isBad ? 'Warning' : 'Normal', reason: now.reason, message: now.message }] : [];
  });
}

const GOOD = /^(Copying|Ramping|Completed|Suspended|Scheduled)$/;
/** Reasons that somebody has to do something about; others pass by themselves or were wanted. */
const BAD =
  /Invalid|Credentials|PodSecurity|Image|Refused|Fails|Failed|Consent|NotFound|TokenMissing|Refuses|Unreachable|HostNetwork|SourceIsTarget|Encrypted|TooLarge/;

/** As the API server stores it: without what is undefined, and whatever the order of keys. */
function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(ordered(one)) === JSON.stringify(ordered(other));
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, item]) => [key, ordered(item)]),
  );
}
