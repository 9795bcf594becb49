import { writeFileSync } from 'node:fs';

/** proc(5): -1000 to 1000; children of a server usually have 0. */
const OOM_SCORE_ADJ = 800;

/**
 * When memory is short, the kernel is to end this process before any of the production that it shares a host or a pod with.
 * Needs no privilege; where a sandbox hides the file it stays as it is.
 *
 * The processor is another matter: a copy that gets less of it than it needs only falls behind and then loses packets, and what
 * it needs is small against what it copies. Who wants it behind production starts it with nice(1) or a CPU limit.
 */
export function endFirstWhenMemoryIsShort(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', `${OOM_SCORE_ADJ}\n`);
  } catch {
    // No /proc, or a higher value that only a privileged process may lower.
  }
}
