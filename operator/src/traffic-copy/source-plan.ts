import { type CheckedSpec, copyContainerGeneration, interceptTokens, selects, tokenVariable } from '../api/index.js';
import { type InjectionObstacle, injectionObstacle } from '../injection/injection-obstacle.js';
import type { CopyContainerRecord, PodRecord } from '../kube/index.js';
import { isImageProven } from './image-proof.js';
import type { LifePhase } from './life-phase.js';
import type { Observation } from './observation.js';
import { waitsForSecret } from './outside-target.js';
import type { Problem } from './problem.js';

/** What is to be done about source pods, and how they are. */
export interface SourcePlan {
  /** Running pods that can be copied. */
  readonly selected: readonly PodRecord[];
  readonly injected: number;
  readonly copying: number;
  readonly injections: readonly Injection[];
  /** Copies in pods that are not selected any more: they are told to stop. By UID of the pod. */
  readonly strays: readonly string[];
  /** Whether new pods get a sidecar. */
  readonly hasWebhook: boolean;
  /** Why not every selected pod holds a copy. */
  readonly problems: readonly Problem[];
  /** What users should know though nothing fails. */
  readonly notes: readonly Problem[];
  /** What is worth knowing while all is well; empty when nothing is. */
  readonly hint: string;
  /** When something is to be tried again. */
  readonly retryAtMs: number | undefined;
}

export interface Injection {
  readonly pod: PodRecord;
  /** In the container's name. */
  readonly generation: number;
}

/** A copy that crashes is replaced so often in one pod. */
export const CRASHES_MAX = 5;
/** Ends in order count too, though they are no crashes: names of ephemeral containers stay in the pod for good. */
const ATTEMPTS_MAX = 20;
/** In one look; the others follow in the next one, so that no TrafficCopy keeps others waiting. */
const INJECTIONS_MAX = 4;
/** After the first, second ... end. */
const RETRY_MS = [1000, 2000, 5000, 10_000, 30_000] as const;
const REFUSED_RETRY_MS = 30_000;
/** The cache shows what was injected within a fraction of a second; after this it is tried again. */
const INJECTED_MS_MAX = 10_000;
const FORBIDDING_LEVELS: ReadonlySet<string> = new Set(['baseline', 'restricted']);

export function sourcePlan(observation: Observation, spec: CheckedSpec, phase: LifePhase): SourcePlan {
  const obstacles = new Map<InjectionObstacle, PodRecord[]>();
  const selected: PodRecord[] = [];
  for (const { pod, isSelected } of observation.pods) {
    if (!isSelected || !isRunning(pod)) continue;
    const obstacle = injectionObstacle(pod);
    if (obstacle === undefined) selected.push(pod);
    else obstacles.set(obstacle, [...(obstacles.get(obstacle) ?? []), pod]);
  }
  const states = selected.map((pod) => podState(observation, spec, phase, pod));
  const injections = states.flatMap((state) => state.injection ?? []);
  const retries = states.flatMap((state) => state.retryAtMs ?? []);
  if (injections.length > INJECTIONS_MAX) retries.push(observation.nowMs);
  const hasWebhook = wantsWebhook(observation, spec, phase);
  return {
    selected,
    injected: states.filter((state) => state.kind === 'present').length,
    copying: selected.filter((pod, index) => states[index]!.kind === 'present' && isCopying(observation, pod)).length,
    injections: injections.slice(0, INJECTIONS_MAX),
    strays: strays(observation),
    hasWebhook,
    problems: [
      ...namespaceProblems(observation),
      ...emptyProblem(observation, selected, obstacles),
      ...podProblems(states),
    ],
    notes: [...obstacleNotes(selected, obstacles), ...webhookNotes(observation, spec, phase)],
    hint: quotaHint(observation, spec),
    retryAtMs: retries.length === 0 ? undefined : Math.min(...retries),
  };
}

/** How one pod is. */
interface PodState {
  readonly kind: 'present' | 'starting' | 'missing';
  readonly injection?: Injection | undefined;
  readonly retryAtMs?: number | undefined;
  readonly problem?: Problem | undefined;
}

function podState(observation: Observation, spec: CheckedSpec, phase: LifePhase, pod: PodRecord): PodState {
  const own = ownCopies(observation.trafficCopy.uid, pod);
  const living = own
    .map(({ copy }) => copy)
    .filter((copy) => isAlive(copy) && !isAsleep(observation, pod, copy) && !isOutdated(observation, copy));
  const complete = living.filter((copy) => hasTokens(observation, spec, pod, copy));
  const running = living.find((copy) => copy.state === 'running');
  if (complete.some((copy) => copy.state === 'running')) return { kind: 'present' };
  if (complete[0] !== undefined)
    return { kind: running ? 'present' : 'starting', problem: waitingProblem(pod, complete[0]) };
  const next = missingState(
    observation,
    spec,
    phase,
    pod,
    own.map(({ copy }) => copy),
  );
  // It goes on until another one takes its place.
  return running === undefined ? next : { ...next, kind: 'present' };
}

/** A pod without a copy that could do all that is asked for. */
function missingState(
  observation: Observation,
  spec: CheckedSpec,
  phase: LifePhase,
  pod: PodRecord,
  own: readonly CopyContainerRecord[],
): PodState {
  const { nowMs, memory } = observation;
  const done = memory.injected.get(pod.uid);
  if (done !== undefined && nowMs - done.atMs < INJECTED_MS_MAX) return { kind: 'starting', problem: starting(pod) };
  if (phase.kind !== 'active') return { kind: 'missing' };
  if (spec.injection === 'Sidecar') return { kind: 'missing', problem: sidecarOnly(pod) };
  if (isForbidden(observation)) return { kind: 'missing' };
  return injectionState(
    observation,
    pod,
    own.filter((copy) => copy.kind === 'ephemeral'),
  );
}

/** A pod without a living copy: whether it gets one now, later or never. */
function injectionState(observation: Observation, pod: PodRecord, ended: readonly CopyContainerRecord[]): PodState {
  const { nowMs, memory, trafficCopy } = observation;
  const refused = memory.refused.get(pod.uid);
  if (refused !== undefined && nowMs - refused.atMs < REFUSED_RETRY_MS) {
    const message = `the API server refuses a copy in pod ${pod.name}: ${refused.message}`;
    const problem: Problem = { reason: 'InjectionRefused', message };
    return { kind: 'missing', retryAtMs: refused.atMs + REFUSED_RETRY_MS, problem };
  }
  const crashes = ended.filter((copy) => copy.exitCode !== 0);
  if (crashes.length >= CRASHES_MAX || ended.length >= ATTEMPTS_MAX) {
    return { kind: 'missing', problem: crashProblem(pod, crashes.at(-1), 'it is not tried again in this pod') };
  }
  const lastEndMs = Math.max(0, ...ended.map((copy) => copy.finishedAtMs));
  const retryAtMs = ended.length === 0 ? 0 : lastEndMs + RETRY_MS[Math.min(ended.length, RETRY_MS.length) - 1]!;
  if (retryAtMs > nowMs) {
    return { kind: 'missing', retryAtMs, problem: crashProblem(pod, crashes.at(-1), 'it is replaced soon') };
  }
  const generations = pod.copies.map((copy) => copyContainerGeneration(copy.name, trafficCopy.uid) ?? 0);
  return { kind: 'starting', injection: { pod, generation: Math.max(0, ...generations) + 1 }, problem: starting(pod) };
}

function ownCopies(uid: string, pod: PodRecord): { readonly generation: number; readonly copy: CopyContainerRecord }[] {
  return pod.copies.flatMap((copy) => {
    const generation = copyContainerGeneration(copy.name, uid);
    return generation === undefined ? [] : [{ generation, copy }];
  });
}

/**
 * Whether the copy was started with the tokens of all intercepts outside the cluster. A sidecar does not wait for their Secrets, so that it may have the variable, and
 * nothing in it.
 */
function hasTokens({ copies }: Observation, spec: CheckedSpec, pod: PodRecord, copy: CopyContainerRecord): boolean {
  if (!interceptTokens(spec).every((token) => copy.tokenVariables.includes(tokenVariable(token)))) return false;
  const { endpoints = [] } = copies.get(pod.uid)?.report ?? {};
  return copy.kind !== 'sidecar' || !endpoints.some(({ down }) => down?.code === 'token');
}

/** A sidecar that ended is started again by the kubelet. */
function isAlive(copy: CopyContainerRecord): boolean {
  return copy.state !== 'terminated' || copy.kind === 'sidecar';
}

/** A sidecar that was told to stop sleeps, and does not come back. */
function isAsleep({ memory, copies }: Observation, pod: PodRecord, copy: CopyContainerRecord): boolean {
  return copy.kind === 'sidecar' && memory.stopped.has(pod.uid) && copies.get(pod.uid)?.isConnected !== true;
}

/** It waits for an image that cannot be had, and that new copies do not get any more. Should it come after all, the hub keeps one of the two. */
function isOutdated({ copyImage }: Observation, copy: CopyContainerRecord): boolean {
  return copy.kind === 'ephemeral' && copy.state === 'waiting' && isImageProblem(copy) && copy.image !== copyImage;
}

function isRunning(pod: PodRecord): boolean {
  return pod.phase === 'Running' && !pod.isTerminating && pod.addresses.length > 0;
}

function isCopying({ copies }: Observation, pod: PodRecord): boolean {
  return copies.get(pod.uid)?.report?.state === 'copying';
}

function isForbidden({ namespace }: Observation): boolean {
  return FORBIDDING_LEVELS.has(namespace?.podSecurity ?? '');
}

function strays({ pods, trafficCopy }: Observation): string[] {
  return pods
    .filter(({ pod, isSelected }) => !isSelected && ownCopies(trafficCopy.uid, pod).some(({ copy }) => isAlive(copy)))
    .map(({ pod }) => pod.uid);
}

/** New pods get a sidecar only from an image that is proven. Who asks for sidecars alone has to do without that proof. */
function wantsWebhook(observation: Observation, spec: CheckedSpec, phase: LifePhase): boolean {
  const isWanted = (phase.kind === 'active' || phase.kind === 'suspended') && spec.injection !== 'Ephemeral';
  if (!isWanted || isForbidden(observation) || observation.limits.length > 0) return false;
  if (stuckSidecar(observation) !== undefined) return false;
  return spec.injection === 'Sidecar' || isImageProven(observation);
}

/** A pod that cannot start because of our sidecar. */
function stuckSidecar({ pods, trafficCopy }: Observation): { pod: PodRecord; copy: CopyContainerRecord } | undefined {
  for (const { pod } of pods) {
    for (const { copy } of ownCopies(trafficCopy.uid, pod)) {
      if (copy.kind === 'sidecar' && copy.state === 'waiting' && isImageProblem(copy)) return { pod, copy };
    }
  }
  return undefined;
}

/** It cannot start, as its image cannot be had. */
export function isImageProblem({ reason }: CopyContainerRecord): boolean {
  return /Image|Registry/.test(reason);
}

function namespaceProblems(observation: Observation): Problem[] {
  const { namespace, trafficCopy } = observation;
  if (!isForbidden(observation)) return [];
  const message =
    `Pod Security level ${namespace?.podSecurity} of namespace ${trafficCopy.namespace} refuses NET_RAW, which a copy needs to capture: ` +
    `kubectl label namespace ${trafficCopy.namespace} --overwrite pod-security.kubernetes.io/enforce=privileged`;
  return [{ reason: 'PodSecurity', message }];
}

function emptyProblem(
  observation: Observation,
  selected: readonly PodRecord[],
  obstacles: ReadonlyMap<InjectionObstacle, unknown>,
): Problem[] {
  if (selected.length > 0) return [];
  const [obstacle] = obstacles.keys();
  if (obstacle !== undefined) {
    return [
      { reason: obstacle, message: `no pod that spec.source.selector selects can be copied: ${OBSTACLES[obstacle]}` },
    ];
  }
  if (
    observation.pods.length === 0 &&
    observation.targets.some(({ pods }) => pods.some((pod) => isOwnSource(observation, pod)))
  ) {
    const message =
      'every pod that spec.source.selector selects is a target too, and targets are not copied: give the targets a label that the source pods do not have';
    return [{ reason: 'SourceIsTarget', message }];
  }
  return [{ reason: 'NoSourcePods', message: 'spec.source.selector selects no running pod of the namespace (yet)' }];
}

function isOwnSource({ trafficCopy }: Observation, pod: PodRecord): boolean {
  const { namespace, spec } = trafficCopy;
  return pod.namespace === namespace && !('problems' in spec) && selects(spec.sourceSelector, pod.labels);
}

const OBSTACLES: Readonly<Record<InjectionObstacle, string>> = {
  HostNetwork:
    'pods in the network of their node cannot be told from the rest of the node; run them without hostNetwork',
  OptedOut: 'the label trafficcopy.dev/inject=false keeps copies out; remove it from the pod template',
  Windows: 'copies need Linux',
  MirrorPod: 'static pods of a node take no containers',
};

function obstacleNotes(
  selected: readonly PodRecord[],
  obstacles: ReadonlyMap<InjectionObstacle, readonly PodRecord[]>,
): Problem[] {
  if (selected.length === 0) return [];
  return [...obstacles].map(([reason, pods]) => ({
    reason,
    message: `${pods.length === 1 ? `pod ${pods[0]!.name} is` : `${pods.length} pods are`} left alone: ${OBSTACLES[reason]}`,
  }));
}

function webhookNotes(observation: Observation, spec: CheckedSpec, phase: LifePhase): Problem[] {
  if (phase.kind !== 'active' || spec.injection === 'Ephemeral') return [];
  const stuck = stuckSidecar(observation);
  if (stuck !== undefined) {
    const message =
      `pod ${stuck.pod.name} waits for the image of its copy (${stuck.copy.reason}: ${stuck.copy.message}); new pods get no sidecar until it is gone. ` +
      `Delete the pod, its successor starts without; then see to the image`;
    return [{ reason: 'SidecarImage', message }];
  }
  if (observation.limits.length === 0 || spec.injection !== 'Sidecar') return [];
  const message = `new pods get no sidecar, as ${observation.limits.join(', ')} could refuse them for it: use spec.injection Auto or Ephemeral`;
  return [{ reason: 'ResourceQuota', message }];
}

function quotaHint({ limits }: Observation, spec: CheckedSpec): string {
  if (limits.length === 0 || spec.injection !== 'Auto') return '';
  return `new pods get their copy when they run, not before, as ${limits.join(', ')} could refuse a pod with one more container`;
}

/** One for each kind, the first pod standing for the others. */
function podProblems(states: readonly PodState[]): Problem[] {
  const problems = new Map<string, { readonly first: Problem; count: number }>();
  for (const { problem } of states) {
    if (problem === undefined) continue;
    const known = problems.get(problem.reason);
    if (known === undefined) problems.set(problem.reason, { first: problem, count: 1 });
    else known.count += 1;
  }
  return [...problems.values()].map(({ first, count }) =>
    count === 1 ? first : { ...first, message: `${first.message} (and ${count - 1} more)` },
  );
}

function waitingProblem(pod: PodRecord, copy: CopyContainerRecord): Problem {
  if (waitsForSecret(copy)) {
    return { reason: 'TokenMissing', message: `the copy in pod ${pod.name} waits for a Secret: ${copy.message}` };
  }
  if (!isImageProblem(copy)) return starting(pod);
  const message = `pod ${pod.name} cannot get the image of the copy (${copy.reason}: ${copy.message}): it must be one that the pod's node and imagePullSecrets can pull`;
  return { reason: 'Image', message };
}

function starting(pod: PodRecord): Problem {
  return { reason: 'CopiesStarting', message: `the copy in pod ${pod.name} is starting` };
}

function sidecarOnly(pod: PodRecord): Problem {
  const message = `pod ${pod.name} was there before; with spec.injection Sidecar only new pods are copied: restart it, or use Auto`;
  return { reason: 'WaitingForNewPods', message };
}

function crashProblem(pod: PodRecord, copy: CopyContainerRecord | undefined, what: string): Problem {
  const why =
    copy === undefined
      ? ''
      : ` (${copy.reason}, exit code ${copy.exitCode}${copy.message === '' ? '' : `: ${copy.message.trim()}`})`;
  return { reason: 'CopyFails', message: `the copy in pod ${pod.name} has ended${why}; ${what}` };
}
