const NS_PER_MS = 1e6;

/** The kernel's monotonic clock, ms: the same in all processes. */
function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / NS_PER_MS;
}

/** Now, as the beginning of a clock for {@link sharedClock}. */
export function clockStart(): number {
  return Math.floor(monotonicMs());
}

/**
 * Milliseconds since `startMs`, the same in every process that has the same start: a worker that takes the place of another goes on with its time,
 * and with it the sequence numbers and timestamps towards targets never go back.
 */
export function sharedClock(startMs: number): () => number {
  const offsetMs = monotonicMs() - performance.now() - startMs;
  return () => performance.now() + offsetMs;
}
