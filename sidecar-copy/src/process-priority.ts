import { readdirSync, writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/** When processors are short, servers of production (0) get about three times what a thread of the copy gets. */
const NICE = 5;
/** When memory is short, the kernel ends the copy before anything that is not marked so (proc(5): -1000 to 1000). */
const OOM_SCORE_ADJ = 800;

/**
 * Puts this process behind the production that it shares a host or a pod with. What cannot be set stays as it is: neither
 * needs a privilege, but a sandbox may hide the files.
 */
export function yieldToProduction(): void {
  try {
    // On Linux a priority belongs to a thread.
    for (const task of readdirSync('/proc/self/task')) {
      const threadId = Number(task);
      if (getPriority(threadId) < NICE) setPriority(threadId, NICE);
    }
  } catch {
    // A thread ended meanwhile, or there is no /proc.
  }
  try {
    writeFileSync('/proc/self/oom_score_adj', `${OOM_SCORE_ADJ}\n`);
  } catch {
    // Not Linux's usual /proc, or already higher.
  }
}
