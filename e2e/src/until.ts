const POLL_MS = 200;
/** For a machine that does much else meanwhile: all deadlines are so many times as long. */
const PATIENCE = Number(process.env['E2E_PATIENCE'] ?? 1);

/**
 * Asks `probe` until it gives something other than undefined, null or false, and returns that. A probe that throws is «not
 * yet»: write what has to hold as assertions, and the last one that did not is in the error after `timeoutMs`.
 */
export async function until<T>(
  what: string,
  timeoutMs: number,
  probe: () => Promise<T | undefined | null | false> | T | undefined | null | false,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs * PATIENCE;
  for (;;) {
    let cause: unknown;
    try {
      const found = await probe();
      if (found !== undefined && found !== null && found !== false) return found;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadlineMs) {
      const because = cause instanceof Error ? `: ${cause.message}` : '';
      throw new Error(`waited ${timeoutMs / 1000} s in vain: ${what}${because}`, { cause });
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
