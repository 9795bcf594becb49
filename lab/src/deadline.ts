import { LabError } from './lab-error.js';

const POLL_MS = 20;

/**
 * Asks `probe` until it gives something other than undefined, null or false, and returns that.
 * Throws ERR_LAB_DEADLINE with `what` after `timeoutMs`; errors of the probe count as «not yet» and end up in the cause.
 * `explain` is asked then for what there is instead, which becomes part of the message.
 */
export async function eventually<T>(
  what: string,
  timeoutMs: number,
  probe: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  explain?: () => Promise<string>,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const found = await probe();
      if (found !== undefined && found !== null && found !== false) return found;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadlineMs) {
      const because = cause instanceof Error ? `: ${cause.message}` : '';
      const instead = explain === undefined ? '' : `\n${await explain().catch(String)}`;
      throw new LabError('ERR_LAB_DEADLINE', `waited ${timeoutMs} ms in vain: ${what}${because}${instead}`, { cause });
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
