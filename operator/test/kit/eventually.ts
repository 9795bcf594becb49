import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

const DEADLINE_MS = 10_000;

/** Waits until `look` gives something: a deadline for what must come, no measure of time. */
export async function eventually<Value>(what: string, look: () => Value | undefined | false): Promise<Value> {
  const endMs = performance.now() + DEADLINE_MS;
  while (performance.now() < endMs) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    await sleep(5);
  }
  assert.fail(`did not come: ${what}`);
}
