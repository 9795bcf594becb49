import { type CheckedSpec, interceptTokens } from './api/index.js';
import type { CopyContainerSettings, SidecarOrder } from './injection/index.js';
import { type ClusterCache, ownTargets } from './traffic-copy/index.js';

/** Of a copy without traffic. */
const BASE_BYTES = 192 * 1024 * 1024;
const SESSION_BYTES = 1024;
const FORBIDDING_LEVELS: ReadonlySet<string> = new Set(['baseline', 'restricted']);

/**
 * What the webhook does about new pods of a TrafficCopy, from the cache alone: the API server asks any replica, not only the leader. Undefined: it wants no sidecars.
 */
export function sidecarOrderOf(
  cache: ClusterCache,
  uid: string,
  container: Omit<CopyContainerSettings, 'uid'>,
): SidecarOrder | undefined {
  const trafficCopy = cache.trafficCopyOf(uid);
  if (trafficCopy === undefined || 'problems' in trafficCopy.spec) return undefined;
  const { namespace, spec, status, isDeleting } = trafficCopy;
  if (isDeleting || status.completionTime !== undefined || spec.injection === 'Ephemeral') return undefined;
  const level = cache.namespace(namespace)?.podSecurity ?? '';
  const refusals = [
    ...(FORBIDDING_LEVELS.has(level) ? [`Pod Security level ${level}`] : []),
    ...cache.limitsOf(namespace),
  ];
  const refusal = refusals.length === 0 ? undefined : refusals.join(', ');
  return {
    namespace,
    selector: spec.sourceSelector,
    except: ownTargets(trafficCopy),
    settings: { ...container, uid, memoryBytes: memoryOf(spec), interceptTokens: interceptTokens(spec) },
    refusal,
  };
}

/** What a copy may come to need at the bounds of its TrafficCopy. */
function memoryOf({ heldBytesMax, sessionsMax }: CheckedSpec): number {
  return BASE_BYTES + heldBytesMax + sessionsMax * SESSION_BYTES;
}
