import { copyContainerGeneration } from '../api/index.js';
import type { Observation } from './observation.js';
import { isImageProblem } from './source-plan.js';
import { RETURN_MS_MAX } from './target-plan.js';

/** How far the end of a TrafficCopy is. */
export type CleanupState =
  | { readonly kind: 'waiting'; readonly untilMs: number }
  | { readonly kind: 'clean' }
  /** Somebody cannot be reached. */
  | { readonly kind: 'givenUp'; readonly message: string };

/** A node that cannot be reached must not keep a resource, and its namespace, for ever. */
export const CLEANUP_MS_MAX = 30_000;

export function cleanupState(observation: Observation): CleanupState {
  const { trafficCopy, nowMs } = observation;
  const copies = livingCopies(observation);
  const targets = dirtyTargets(observation);
  if (copies.length === 0 && targets.length === 0) return { kind: 'clean' };
  const untilMs = trafficCopy.deletionAtMs + CLEANUP_MS_MAX;
  if (nowMs < untilMs) return { kind: 'waiting', untilMs };
  const what = [...copies.map((name) => `a copy in pod ${name}`), ...targets.map((node) => `rules on node ${node}`)];
  const message =
    `${what.slice(0, 5).join(', ')}${what.length > 5 ? ` and ${what.length - 5} more` : ''} may be left over: no answer for ${CLEANUP_MS_MAX / 1000} s. ` +
    'A copy ends by itself when it reaches the operator again; intercept cleans its node when it starts there again';
  return { kind: 'givenUp', message };
}

/** Pods in which a copy of it runs, or may still come from. */
function livingCopies({ trafficCopy, pods, copies, memory, leadingMs }: Observation): string[] {
  return pods
    .filter(({ pod }) => {
      if (pod.isTerminating || pod.phase !== 'Running') return false;
      const own = pod.copies.filter((copy) => copyContainerGeneration(copy.name, trafficCopy.uid) !== undefined);
      // One that is about to start is waited for as well: nobody would be there to stop it. Without its image it does not start.
      const hasEphemeral =
        memory.injected.has(pod.uid) ||
        own.some((copy) => copy.kind === 'ephemeral' && copy.state !== 'terminated' && !isImageProblem(copy));
      const hasSidecar = own.some((copy) => copy.kind === 'sidecar');
      // A sidecar goes on as an empty container; whether it copies only the hub can tell, once those that do have come back.
      return hasEphemeral || copies.get(pod.uid)?.isConnected === true || (hasSidecar && leadingMs < RETURN_MS_MAX / 2);
    })
    .map(({ pod }) => pod.name);
}

/** Nodes whose intercept still names a pod that was granted to it alone. */
function dirtyTargets({ memory, intercepts }: Observation): string[] {
  const nodes = [...memory.granted]
    .filter(([uid, node]) => intercepts.get(node)?.report?.pods.some((pod) => pod.uid === uid) === true)
    .map(([, node]) => node);
  return [...new Set(nodes)];
}
