import { Worker } from 'node:worker_threads';
import { SharedInput } from './shared-input.js';
import type { TargetFile } from './target-file.js';
import type { ThreadReport, ThreadTask } from './thread-task.js';

/** An input that is not done after so long never is: ten times what a slow one may take on a machine that is ten times too busy. */
const HANG_MS = 60_000;
const LOOK_MS = 1000;
const HEAP_MB_MAX = 1024;

export interface TargetLimits {
  readonly inputsMax: number;
  readonly msMax: number;
}

export interface TargetFailure {
  readonly message: string;
  readonly input: Uint8Array;
}

export type TargetOutcome = { readonly report: ThreadReport } | { readonly failure: TargetFailure };

/** Runs one target in a thread of its own, and finds out when it hangs or ends. */
export async function runTarget(target: TargetFile, seed: number, limits: TargetLimits): Promise<TargetOutcome> {
  const shared = new SharedInput();
  const task: ThreadTask = { file: target.url, seed, shared: shared.buffer, ...limits };
  const thread = new Worker(new URL('./target-thread.js', import.meta.url), {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
  });
  let watch: NodeJS.Timeout | undefined;
  try {
    const report = await new Promise<ThreadReport>((resolve, reject) => {
      thread.once('message', resolve);
      thread.once('error', reject);
      thread.once('exit', (code) => reject(new Error(`the thread ended by itself (${code})`)));
      watch = watchFor(shared, () => reject(new Error(`the input was not done after ${HANG_MS / 1000} s`)));
    });
    return { report };
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { failure: { message, input: shared.read() } };
  } finally {
    clearInterval(watch);
    await thread.terminate();
  }
}

function watchFor(shared: SharedInput, onHang: () => void): NodeJS.Timeout {
  let { count } = shared;
  let looks = 0;
  return setInterval(() => {
    looks = shared.count === count ? looks + 1 : 0;
    count = shared.count;
    if (looks * LOOK_MS >= HANG_MS) onHang();
  }, LOOK_MS);
}
