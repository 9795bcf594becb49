import type { CopyEndpointSettings, InterceptGrantSettings, InterceptPodSettings } from '@trafficcopy/core';
import { type CheckedSpec, type CheckedTarget, CONSENT_ANNOTATION } from '../api/index.js';
import type { InterceptLinkState } from '../hub/index.js';
import type { PodRecord } from '../kube/index.js';
import type { Observation, ObservedTarget } from './observation.js';
import { outsideState } from './outside-target.js';
import type { Problem } from './problem.js';

/** What is to be done about the targets, and how they are. */
export interface TargetPlan {
  readonly targets: readonly TargetState[];
  /** What each node's intercept is asked for. */
  readonly nodes: ReadonlyMap<string, readonly InterceptPodSettings[]>;
  /**
   * Whether the intercepts have said enough to tell copies where to send to. A new leader waits for them: it would take endpoints away from copies that work.
   * And an intercept that does not know its latest grants yet would refuse the copies that come for them.
   */
  readonly isKnown: boolean;
}

export interface TargetState {
  readonly target: CheckedTarget;
  readonly selected: number;
  /** Pods that are ready and served, or the address outside, whose intercept copies have to find out about. */
  readonly served: readonly ServedPlace[];
  /** How many of them get traffic, as far as is known. */
  readonly ready: number;
  /** Why there is none, or not every one. */
  readonly problems: readonly Problem[];
}

/** Where copies send to. */
export interface ServedPlace {
  readonly uid: string;
  readonly addresses: readonly string[];
  readonly interceptHost: string;
  readonly interceptPort: number;
  /** See CopyEndpointSettings. */
  readonly tokenVariable?: string;
}

/** Intercepts come back to a new leader within this time. */
export const RETURN_MS_MAX = 20_000;

export function targetPlan(observation: Observation, spec: CheckedSpec): TargetPlan {
  const nodes = new Map<string, InterceptPodSettings[]>();
  let hasReports = true;
  let isCurrent = true;
  const targets = observation.targets.map((observed): TargetState => {
    const { target } = observed;
    if (target.place.kind === 'address') return outsideState(observation, target, target.place);
    const refusal = refusalOf(observation, observed);
    if (refusal !== undefined) return { target, selected: 0, served: [], ready: 0, problems: [refusal] };
    const pods = observed.pods.filter(isUsable);
    for (const pod of pods) grant(nodes, pod, grantOf(observation, spec, target));
    const ready = pods.filter((pod) => pod.isReady);
    hasReports &&= ready.every((pod) => observation.intercepts.get(pod.nodeName)?.report !== undefined);
    isCurrent &&= ready.every((pod) => isUpToDate(observation.intercepts.get(pod.nodeName)));
    const served = ready.flatMap((pod) => servedPod(observation, pod) ?? []);
    const problems = podProblems(observation, observed, served);
    return { target, selected: pods.length, served, ready: served.length, problems };
  });
  return { targets, nodes, isKnown: isCurrent && (hasReports || observation.leadingMs > RETURN_MS_MAX) };
}

/** Where copies send what was captured at `port` to, for one target. */
export function endpointsOf({ target, served }: TargetState, port: number): CopyEndpointSettings[] {
  const pair = target.ports.find(({ source }) => source === port);
  if (pair === undefined) return [];
  return served.flatMap(({ uid, addresses, ...intercept }) =>
    addresses.map((address) => ({ address, port: pair.target, ...intercept })),
  );
}

function refusalOf(
  { trafficCopy }: Observation,
  { target, namespaceName, namespace }: ObservedTarget,
): Problem | undefined {
  if (namespaceName === trafficCopy.namespace) return undefined;
  if (namespace === undefined) {
    return { reason: 'NamespaceNotFound', message: `target ${target.name}: there is no namespace ${namespaceName}` };
  }
  if (namespace.consent.includes('*') || namespace.consent.includes(trafficCopy.namespace)) return undefined;
  const message =
    `target ${target.name}: namespace ${namespaceName} has not consented to copies from ${trafficCopy.namespace}: ` +
    `kubectl annotate namespace ${namespaceName} --overwrite ${CONSENT_ANNOTATION}=${[...namespace.consent, trafficCopy.namespace].join(',')}`;
  return { reason: 'NoConsent', message };
}

function isUsable(pod: PodRecord): boolean {
  const isRunning = pod.phase === 'Running' && !pod.isTerminating && pod.addresses.length > 0;
  return isRunning && !pod.isHostNetwork && !pod.isWindows && pod.nodeName !== '';
}

function grantOf({ trafficCopy }: Observation, spec: CheckedSpec, target: CheckedTarget): InterceptGrantSettings {
  return {
    owner: `${trafficCopy.namespace}/${trafficCopy.uid}`,
    ports: [...new Set(target.ports.map((pair) => pair.target))].sort((one, other) => one - other),
    clientRanges: spec.clientRanges,
  };
}

/** A pod that two targets select gets one grant for the ports of both. */
function grant(nodes: Map<string, InterceptPodSettings[]>, pod: PodRecord, wanted: InterceptGrantSettings): void {
  const pods = nodes.get(pod.nodeName) ?? [];
  nodes.set(pod.nodeName, pods);
  const index = pods.findIndex(({ uid }) => uid === pod.uid);
  const known = pods[index]?.grants[0];
  const ports = [...new Set([...(known?.ports ?? []), ...wanted.ports])].sort((one, other) => one - other);
  const { uid, namespace, name, addresses } = pod;
  const settings = { uid, name: `${namespace}/${name}`, addresses, grants: [{ ...wanted, ports }] };
  if (index === -1) pods.push(settings);
  else pods[index] = settings;
}

/** One that is away goes on with what it knew. */
function isUpToDate(intercept: InterceptLinkState | undefined): boolean {
  return intercept === undefined || !intercept.isConnected || intercept.isCurrent;
}

function servedPod({ intercepts }: Observation, pod: PodRecord): ServedPlace | undefined {
  const intercept = intercepts.get(pod.nodeName);
  if (intercept === undefined || stateIn(intercept, pod)?.state !== 'serving') return undefined;
  const { uid, addresses } = pod;
  return { uid, addresses, interceptHost: intercept.host, interceptPort: intercept.port };
}

function stateIn({ report }: InterceptLinkState, pod: PodRecord) {
  return report?.pods.find(({ uid }) => uid === pod.uid);
}

function podProblems(
  observation: Observation,
  { target, pods, namespaceName }: ObservedTarget,
  served: readonly ServedPlace[],
): Problem[] {
  const where = `target ${target.name}`;
  const usable = pods.filter(isUsable);
  if (usable.length === 0) return [emptyProblem(where, namespaceName, pods)];
  const ready = usable.filter((pod) => pod.isReady);
  if (ready.length === 0) {
    return [{ reason: 'TargetPodsNotReady', message: `${where}: none of its ${usable.length} pods is ready` }];
  }
  const missing = ready.filter((pod) => !served.some((one) => one.uid === pod.uid));
  return missing.slice(0, 1).map((pod) => interceptProblem(observation, where, pod));
}

function emptyProblem(where: string, namespaceName: string, pods: readonly PodRecord[]): Problem {
  const isHostNetwork = pods.some((pod) => pod.isHostNetwork && !pod.isTerminating);
  if (!isHostNetwork) {
    return {
      reason: 'NoTargetPods',
      message: `${where}: its selector selects no running pod of namespace ${namespaceName} (yet)`,
    };
  }
  const message = `${where}: pods in the network of their node cannot be targets; run them without hostNetwork`;
  return { reason: 'HostNetwork', message };
}

function interceptProblem({ intercepts }: Observation, where: string, pod: PodRecord): Problem {
  const intercept = intercepts.get(pod.nodeName);
  const state = intercept === undefined ? undefined : stateIn(intercept, pod);
  if (state?.state === 'failed') {
    const message = `${where}: the intercept on node ${pod.nodeName} cannot serve pod ${pod.name}: ${state.message}`;
    return { reason: 'InterceptFailed', message };
  }
  if (intercept === undefined) {
    const message =
      `${where}: no intercept has come from node ${pod.nodeName} of pod ${pod.name} yet; if it stays so, look at the DaemonSet of the operator's namespace: ` +
      'kubectl get pods -A -l app.kubernetes.io/component=intercept -o wide';
    return { reason: 'InterceptMissing', message };
  }
  const waiting = state?.message ? `: ${state.message}` : '';
  return { reason: 'InterceptPreparing', message: `${where}: the intercept prepares pod ${pod.name}${waiting}` };
}
