export interface MemoryGrowth {
  /** Medians of the second and of the last quarter: the first is for warming up. */
  readonly beginMib: number;
  readonly endMib: number;
  readonly maxMib: number;
}

/** How memory went, told by medians, so that neither a burst nor a collection counts. */
export function memoryGrowth(samplesMib: readonly number[]): MemoryGrowth {
  const quarter = Math.max(1, Math.floor(samplesMib.length / 4));
  return {
    beginMib: median(samplesMib.slice(quarter, 2 * quarter)),
    endMib: median(samplesMib.slice(-quarter)),
    maxMib: Math.max(...samplesMib),
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
