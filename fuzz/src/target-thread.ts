/** The thread in which one target takes its inputs. Started by target-run.ts. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import { Campaign } from './campaign.js';
import type { FuzzTarget } from './fuzz-target.js';
import { SharedInput } from './shared-input.js';
import type { ThreadReport, ThreadTask } from './thread-task.js';

/** An input that takes so long is looked at again, as the machine may have been busy; one that does so each time is too slow. */
const SLOW_MS = 500;
const SLOW_TRIES = 4;
const COLLECTIONS = 4;
/** What a target may have kept between a quarter of its inputs and the last of them. */
const GROWTH_BYTES_MAX = 16 * 1024 * 1024;

const task = workerData as ThreadTask;
const shared = new SharedInput(task.shared);
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Buffers outside of the heap are let go of behind the collection, by another thread: the least of some looks counts. */
async function usedBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let looks = 0; looks < COLLECTIONS; looks += 1) {
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
    const { used_heap_size, external_memory } = getHeapStatistics();
    least = Math.min(least, used_heap_size + external_memory);
  }
  return least;
}

async function run(target: FuzzTarget): Promise<ThreadReport> {
  const campaign = new Campaign(target, task.seed);
  const startedMs = performance.now();
  const report = { inputs: 0, features: 0, slowestMs: 0, elapsedMs: 0 };
  let baseBytes = 0;
  while (report.inputs < task.inputsMax && report.elapsedMs < task.msMax) {
    const input = campaign.next();
    shared.publish(input);
    const beganMs = performance.now();
    const outcome = target.run(input);
    campaign.note(input, typeof outcome === 'number' ? outcome : await outcome);
    const endedMs = performance.now();
    report.inputs += 1;
    report.elapsedMs = endedMs - startedMs;
    report.slowestMs = Math.max(report.slowestMs, await confirmed(target, input, endedMs - beganMs));
    if (report.slowestMs > SLOW_MS) throw new Error(`the input takes ${Math.round(report.slowestMs)} ms every time`);
    const isQuarter = report.inputs > task.inputsMax / 4 || report.elapsedMs > task.msMax / 4;
    if (baseBytes === 0 && isQuarter) baseBytes = await usedBytes();
  }
  report.features = campaign.features;
  const grownBytes = (await usedBytes()) - baseBytes;
  if (grownBytes > GROWTH_BYTES_MAX)
    throw new Error(`${grownBytes} octets stayed of the inputs since the first quarter`);
  return report;
}

/** How long the input takes: if it was long, the shortest of some times. */
async function confirmed(target: FuzzTarget, input: Uint8Array, firstMs: number): Promise<number> {
  let shortestMs = firstMs;
  for (let tries = 0; tries < SLOW_TRIES && shortestMs > SLOW_MS; tries += 1) {
    const beganMs = performance.now();
    await target.run(input);
    shortestMs = Math.min(shortestMs, performance.now() - beganMs);
  }
  return shortestMs;
}

const { default: target } = (await import(task.file)) as { readonly default: FuzzTarget };
// What is thrown ends the thread, and the one that watches has the input.
parentPort?.postMessage(await run(target));
