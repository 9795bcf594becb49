import type { LaneFigures, SourceFigures } from './copy-figures.js';

/**
 * What /readyz says: undefined when everything that should be copied can be, else what is missing. Traffic that is lost or
 * late does not make a copy unready: it is working.
 */
export function unreadyReason(
  lanes: readonly Pick<LaneFigures, 'name' | 'isUp'>[],
  sources: readonly Pick<SourceFigures, 'name' | 'interfaceState'>[],
): string | undefined {
  const reasons = [
    ...lanes.filter((lane) => !lane.isUp).map((lane) => `no channel to intercept ${lane.name}`),
    ...sources
      .filter((source) => source.interfaceState !== 'up')
      .map((source) => `interface ${source.name} is ${source.interfaceState}`),
  ];
  return reasons.length === 0 ? undefined : reasons.join('; ');
}
