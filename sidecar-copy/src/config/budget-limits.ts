import type { FlagValues } from '@trafficcopy/runtime';
import type { BudgetLimits } from '../safety-budget.js';
import type { COPY_FLAGS } from './copy-flags.js';

type Values = Pick<FlagValues<typeof COPY_FLAGS>, 'cpuPercentMax' | 'memoryBytesMax'>;

/** `--max-cpu` and `--max-memory`; what is not given has no limit. */
export function budgetLimits({ cpuPercentMax, memoryBytesMax }: Values): BudgetLimits {
  return { cpuPercentMax: cpuPercentMax ?? 0, memoryBytesMax: memoryBytesMax ?? 0 };
}
