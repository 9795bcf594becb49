import type { InterceptLimits } from '../limits.js';

/** What each of so many workers may have. Copies are not divided: all of them may come to one. */
export function shareOfLimits(limits: InterceptLimits, workers: number): InterceptLimits {
  const part = (whole: number): number => Math.max(1, Math.floor(whole / workers));
  return {
    ...limits,
    flowsMax: part(limits.flowsMax),
    parkedMax: part(limits.parkedMax),
    resetsPerSecondMax: part(limits.resetsPerSecondMax),
  };
}
