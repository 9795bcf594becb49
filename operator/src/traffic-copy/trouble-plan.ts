import { COPY_SETTINGS_LIMITS } from '@trafficcopy/core';
import type { Observation } from './observation.js';
import type { Problem } from './problem.js';
import type { SourcePlan } from './source-plan.js';
import type { TargetPlan } from './target-plan.js';

const PROBLEMS_MAX = 8;
/** From this share of the connections on, TLS is what the source speaks. */
const ENCRYPTED_SHARE_MIN = 0.05;
/** Drops are told for so long after the last of them. */
const DROPS_MS = 60_000;

/** What the condition Degraded tells: things that are not as asked for while others work. The most serious first. */
export function troublePlan(observation: Observation, sources: SourcePlan, targets: TargetPlan): Problem[] {
  return [
    ...encryptedTrouble(observation),
    ...sources.problems.filter(({ reason }) => reason === 'CopyFails' && sources.copying > 0),
    ...targetTrouble(targets),
    ...captureTrouble(observation),
    ...reportedTrouble(observation),
    ...sizeTrouble(targets),
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
  const seen = [...copies.values()].reduce((sum, { report }) => sum + (report?.connectionsSeen ?? 0), 0);
  const encrypted = [...ports.values()].reduce((sum, { connections }) => sum + connections, 0);
  // Somebody who tries TLS on a plain port is no reason to call it encrypted.
  const reason = encrypted >= seen * ENCRYPTED_SHARE_MIN ? 'EncryptedTraffic' : 'EncryptedConnections';
  return [...ports]
    .sort(([one], [other]) => Number(one) - Number(other))
    .map(([port, { pods }]) => ({
      reason,
      message:
        `source port ${port} carries TLS (seen in ${pods} ${pods === 1 ? 'pod' : 'pods'}): what is encrypted cannot be replayed, as every handshake makes other keys. ` +
        'Copy the port behind the one that ends TLS; where a proxy in the pod does, use spec.capture Loopback with the application’s port',
    }));
}

/** A target that is served, but not all of it. */
function targetTrouble({ targets }: TargetPlan): Problem[] {
  return targets
    .filter(({ ready }) => ready > 0)
    .flatMap(({ problems }) => problems.filter(({ reason }) => reason === 'InterceptFailed'));
}

function captureTrouble({ memory, nowMs }: Observation): Problem[] {
  const { count, risenAtMs } = memory.captureDrops;
  if (nowMs - risenAtMs > DROPS_MS) return [];
  const message = `copies could not capture ${count} packets so far, and more at this moment: they get too little CPU time for the traffic; lower spec.sample, or give the source's nodes room`;
  return [{ reason: 'CaptureDrops', message }];
}

/** Copies are told of so many pods of a target; the others get nothing. */
function sizeTrouble({ targets }: TargetPlan): Problem[] {
  return targets
    .filter(({ served }) => served.length > COPY_SETTINGS_LIMITS.endpoints)
    .map(({ target, served }) => ({
      reason: 'TooManyPods',
      message: `target ${target.name} has ${served.length} pods, and traffic goes to ${COPY_SETTINGS_LIMITS.endpoints} of them: narrow its selector`,
    }));
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
