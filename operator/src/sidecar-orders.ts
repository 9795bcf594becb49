import type { CopyContainerSettings, SidecarOrder } from './injection/index.js';
import { type ClusterCache, ownTargets } from './traffic-copy/index.js';

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
    settings: { ...container, uid },
    refusal,
  };
}
