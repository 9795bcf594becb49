import type { CopyEndpointReport, EndpointFault } from '@trafficcopy/core';
import { formatSocketAddress } from '@trafficcopy/runtime';
import { type CheckedTarget, type TargetAddress, tokenVariable } from '../api/index.js';
import type { CopyContainerRecord } from '../kube/index.js';
import { type Observation, specOf } from './observation.js';
import type { Problem } from './problem.js';
import type { TargetState } from './target-plan.js';

/** The kubelet's word for a container that waits for a Secret. */
const WAITING_FOR_SECRET = 'CreateContainerConfigError';

/**
 * A target outside the cluster. The operator cannot see whether its intercept serves, and has no business there: it
 * takes the word of the copies for it.
 */
export function outsideState(observation: Observation, target: CheckedTarget, place: TargetAddress): TargetState {
  const { address, interceptHost, interceptPort, token } = place;
  const variable = tokenVariable(token);
  const reports = reportsOn(observation, target, place);
  const isReached = reports.some(({ isUp }) => isUp);
  const problem =
    secretProblem(observation, target, place) ?? (isReached ? undefined : wayProblem(target, place, reports));
  return {
    target,
    selected: 1,
    served: [{ uid: '', addresses: [address], interceptHost, interceptPort, tokenVariable: variable }],
    ready: isReached ? 1 : 0,
    problems: problem === undefined ? [] : [problem],
  };
}

/** Whether the container waits for a Secret that is not there, or lacks a key. */
export function waitsForSecret({ state, reason }: CopyContainerRecord): boolean {
  return state === 'waiting' && reason === WAITING_FOR_SECRET;
}

function reportsOn(observation: Observation, { ports }: CheckedTarget, place: TargetAddress): CopyEndpointReport[] {
  const { address: host, token } = place;
  const endpoints = new Set(ports.map(({ target: port }) => formatSocketAddress({ host, port })));
  const isLasting = ({ down }: CopyEndpointReport, podUid: string): boolean =>
    down?.code !== 'token' || !isReplaced(observation, podUid, tokenVariable(token));
  return [...observation.copies.values()]
    .filter(({ isConnected }) => isConnected)
    .flatMap(({ podUid, report }) => (report?.endpoints ?? []).filter((endpoint) => isLasting(endpoint, podUid)))
    .filter(({ endpoint }) => endpoints.has(endpoint));
}

/** That a copy has no token is no news while one that has it is on its way. */
function isReplaced(observation: Observation, podUid: string, variable: string): boolean {
  if (specOf(observation)?.injection === 'Sidecar') return false;
  const copies = observation.pods.find(({ pod }) => pod.uid === podUid)?.pod.copies ?? [];
  return !copies.some(
    ({ kind, state, tokenVariables }) =>
      kind === 'ephemeral' && state === 'running' && tokenVariables.includes(variable),
  );
}

function secretProblem(
  { pods, trafficCopy }: Observation,
  target: CheckedTarget,
  place: TargetAddress,
): Problem | undefined {
  const { token } = place;
  const variable = tokenVariable(token);
  const waiting = pods.find(({ pod }) =>
    pod.copies.some(
      (copy) => waitsForSecret(copy) && copy.tokenVariables.includes(variable) && isAbout(copy, token.secret),
    ),
  );
  if (waiting === undefined) return undefined;
  const message =
    `target ${target.name}: the copy in pod ${waiting.pod.name} waits for the Secret ${token.secret} with the key ${token.key}: take a token by "trafficcopy intercept --new-token --reusable" ` +
    `on ${place.interceptHost}, then kubectl -n ${trafficCopy.namespace} create secret generic ${token.secret} --from-literal=${token.key}=TOKEN`;
  return { reason: 'TokenMissing', message };
}

/** The kubelet names the Secret. */
function isAbout({ message }: CopyContainerRecord, secret: string): boolean {
  return message === '' || message.includes(secret);
}

function wayProblem(target: CheckedTarget, place: TargetAddress, reports: readonly CopyEndpointReport[]): Problem {
  const intercept = formatSocketAddress({ host: place.interceptHost, port: place.interceptPort });
  const faults = reports.flatMap(({ down }) => down ?? []);
  const fault = FAULTS.flatMap(({ code }) => faults.find((one) => one.code === code) ?? [])[0];
  if (fault === undefined) {
    return {
      reason: 'InterceptConnecting',
      message: `target ${target.name}: no copy has reached its intercept ${intercept} yet`,
    };
  }
  const { reason, advice } = FAULTS.find(({ code }) => code === fault.code)!;
  return { reason, message: `target ${target.name}: ${fault.message}; ${advice}` };
}

/** What somebody has to do about it, the most telling first. */
const FAULTS: readonly { readonly code: EndpointFault['code']; readonly reason: string; readonly advice: string }[] = [
  {
    code: 'refused',
    reason: 'InterceptRefuses',
    advice:
      'put a new token ("trafficcopy intercept --new-token --reusable" there) into another key of the Secret, and name that in interceptTokenSecret.key: the copies are then replaced',
  },
  {
    code: 'token',
    reason: 'TokenMissing',
    advice:
      'put a token that "trafficcopy intercept --new-token --reusable" prints there into another key of the Secret, and name that in interceptTokenSecret.key',
  },
  {
    code: 'unreachable',
    reason: 'InterceptUnreachable',
    advice: 'is the intercept running there, and may the source pods connect to it (firewall, NetworkPolicy)?',
  },
];
