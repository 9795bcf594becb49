/** What a session costs that has served a request and waits for the next: measured by the benchmark, in a process of its own. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';

const BENCH = fileURLToPath(new URL('../../bench/engine.js', import.meta.url));
const SESSION_BYTES_MAX = 1536;
/** Two look-ups (connection, port), of 24 octets for each place, two to four places for a flow: outside of the heap. */
const TABLE_BYTES = 2 * 24 * 3;

/** What else the heap holds at that moment, such as code that was just compiled, only adds to it. */
const RUNS_MAX = 3;

interface Measured {
  readonly sessions: number;
  readonly bytesPerSession: number;
}

function measure(): Measured {
  return JSON.parse(execFileSync(process.execPath, [BENCH, '--json', 'idleSessions'], { encoding: 'utf8' }));
}

it(`an idle session takes ${SESSION_BYTES_MAX} octets at most`, (context) => {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS_MAX && least + TABLE_BYTES > SESSION_BYTES_MAX; run += 1) {
    const { sessions, bytesPerSession } = measure();
    context.diagnostic(`${bytesPerSession} octets of heap for each of ${sessions}`);
    assert.equal(sessions, 10_000);
    assert.ok(bytesPerSession > 0);
    least = Math.min(least, bytesPerSession);
  }
  assert.ok(least + TABLE_BYTES <= SESSION_BYTES_MAX, `${least}`);
});
