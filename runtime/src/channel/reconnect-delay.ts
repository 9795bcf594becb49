/** Delays between attempts to connect: they double, and are spread so that many clients do not come back in one wave. */
export const RECONNECT_DELAY_MS_MIN = 250;
export const RECONNECT_DELAY_MS_MAX = 15_000;

/** @param attempt 0 for the first retry. @param random 0 up to 1. @returns ms: half of the step is fixed, half is jitter. */
export function reconnectDelayMs(attempt: number, random: number): number {
  const stepMs = Math.min(RECONNECT_DELAY_MS_MAX, RECONNECT_DELAY_MS_MIN * 2 ** Math.min(attempt, 16));
  return Math.round(stepMs / 2 + (stepMs / 2) * random);
}
