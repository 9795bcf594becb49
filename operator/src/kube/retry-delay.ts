/**
 * Delays between attempts: they double from `minMs` to `maxMs`, half of each is jitter, so that many that failed together do not come back
 * together.
 * @param attempt 0 for the first retry  @param random 0 up to 1
 */
export function retryDelayMs(attempt: number, minMs: number, maxMs: number, random: number): number {
  const stepMs = Math.min(maxMs, minMs * 2 ** Math.min(attempt, 24));
  return Math.round(stepMs / 2 + (stepMs / 2) * random);
}
