/** What a session costs that has served a request and waits for the next: measured by the benchmark, in a process of its own. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';

const BENCH = fileURLToPath(new URL('../../bench/engine.js', import.meta.url));
const SESSION_BYTES_MAX = 1536;
/** Two look-ups (connection, port), of 24 octets for each place, two to four places for a flow: outside of the heap. */
const TABLE_BYTES = 2 * 24 * 3;

it(`an idle session takes ${SESSION_BYTES_MAX} octets at most`, (context) => {
  const printed = execFileSync(process.execPath, [BENCH, '--json', 'idleSessions'], { encoding: 'utf8' });
  const { sessions, bytesPerSession } = JSON.parse(printed) as { sessions: number; bytesPerSession: number };
  context.diagnostic(`${bytesPerSession} octets of heap for each of ${sessions}`);
  assert.equal(sessions, 10_000);
  assert.ok(bytesPerSession > 0 && bytesPerSession + TABLE_BYTES <= SESSION_BYTES_MAX, `${bytesPerSession}`);
});
