import { formatSocketAddress } from '@trafficcopy/runtime';
import type { Observation } from './observation.js';
import type { Problem } from './problem.js';
import type { SourcePlan } from './source-plan.js';
import { endpointsOf, type TargetPlan, type TargetState } from './target-plan.js';

/**
 * What is still missing before each request of each source pod goes to every target: copies that work by older settings, or
 * whose way to a target is not up. Undefined when nothing is.
 */
export function reachProblem(
  { copies, trafficCopy }: Observation,
  sources: SourcePlan,
  { targets }: TargetPlan,
): Problem | undefined {
  const reports = sources.selected.flatMap(({ uid }) => copies.get(uid)?.report ?? []);
  const behind = reports.filter(({ generation }) => generation < trafficCopy.generation).length;
  if (behind > 0) {
    return { reason: 'CopiesChanging', message: `${counted(behind)} to take over the last change of the spec` };
  }
  for (const state of targets) {
    const own = endpointTexts(state);
    const without = reports.filter(
      ({ endpoints }) => !endpoints.some(({ endpoint, isUp }) => isUp && own.has(endpoint)),
    ).length;
    if (without > 0) {
      return { reason: 'CopiesConnecting', message: `${counted(without)} to reach target ${state.target.name}` };
    }
  }
  return undefined;
}

function counted(copies: number): string {
  return copies === 1 ? '1 copy has yet' : `${copies} copies have yet`;
}

/** As reports of copies name them. */
function endpointTexts(state: TargetState): Set<string> {
  const endpoints = state.target.ports.flatMap(({ source }) => endpointsOf(state, source));
  return new Set(endpoints.map(({ address, port }) => formatSocketAddress({ host: address, port })));
}
