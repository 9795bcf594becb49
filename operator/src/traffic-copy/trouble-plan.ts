import type { Observation } from './observation.js';
import type { Problem } from './problem.js';
import type { SourcePlan } from './source-plan.js';
import type { TargetPlan } from './target-plan.js';

const PROBLEMS_MAX = 8;

/** What the condition Degraded tells: things that are not as asked for while others work. The most serious first. */
export function troublePlan(observation: Observation, sources: SourcePlan, targets: TargetPlan): Problem[] {
  return [
    ...encryptedTrouble(observation),
    ...sources.problems.filter(({ reason }) => reason === 'CopyFails' && sources.copying > 0),
    ...targetTrouble(targets),
    ...reportedTrouble(observation),
    ...sources.notes,
  ];
}

/** Connections that begin with a TLS handshake, by port. */
function encryptedTrouble({ copies }: Observation): Problem[] {
  const ports = new Map<string, { connections: number; pods: number }>();
  for (const { report } of copies.values()) {
    for (const [port, count] of Object.entries(report?.encrypted ?? {})) {
      if (count === 0) continue;
      const { connections, pods } = ports.get(port) ?? { connections: 0, pods: 0 };
      ports.set(port, { connections: connections + count, pods: pods + 1 });
    }
  }
  return [...ports]
    .sort(([one], [other]) => Number(one) - Number(other))
    .map(([port, { pods }]) => ({
      reason: 'EncryptedTraffic',
      message:
        `source port ${port} carries TLS (seen in ${pods} ${pods === 1 ? 'pod' : 'pods'}): what is encrypted cannot be replayed, as every handshake makes other keys. ` +
        'Copy the port behind the one that ends TLS; where a proxy in the pod does, use spec.capture Loopback with the application’s port',
    }));
}

/** A target that is served, but not all of it. */
function targetTrouble({ targets }: TargetPlan): Problem[] {
  return targets
    .filter(({ served }) => served.length > 0)
    .flatMap(({ problems }) => problems.filter(({ reason }) => reason === 'InterceptFailed'));
}

/** The same problem of many copies is told once. */
function reportedTrouble({ copies, pods }: Observation): Problem[] {
  const names = new Map(pods.map(({ pod }) => [pod.uid, pod.name]));
  const first = new Map<string, string>();
  for (const { podUid, report } of copies.values()) {
    for (const problem of report?.problems ?? []) {
      if (!first.has(problem) && first.size < PROBLEMS_MAX) first.set(problem, names.get(podUid) ?? podUid);
    }
  }
  return [...first].map(([problem, pod]) => ({ reason: 'CopyProblem', message: `pod ${pod}: ${problem}` }));
}
