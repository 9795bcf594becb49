import type { CopyBasis } from '../config.js';

/**
 * What each of so many workers may have, so that all together have what was allowed. The program itself, which takes `programBytes`, is in
 * the memory budget too.
 */
export function shareOf<Basis extends CopyBasis>(basis: Basis, workers: number, programBytes: number): Basis {
  const part = (whole: number): number => Math.max(1, Math.floor(whole / workers));
  const { limits, budget } = basis;
  // 0: no limit.
  const partOfBudget = (whole: number, taken: number): number => (whole === 0 ? 0 : part(whole - taken));
  const heldBytesMax = part(limits.heldBytesMax);
  return {
    ...basis,
    captureBufferBytes: part(basis.captureBufferBytes),
    budget: {
      cpuPercentMax: partOfBudget(budget.cpuPercentMax, 0),
      memoryBytesMax: partOfBudget(budget.memoryBytesMax, programBytes),
    },
    limits: {
      ...limits,
      connectionsMax: part(limits.connectionsMax),
      sessionsMax: part(limits.sessionsMax),
      heldBytesMax,
      heldBytesPerConnectionMax: Math.min(limits.heldBytesPerConnectionMax, heldBytesMax),
    },
  };
}
