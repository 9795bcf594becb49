/** The first process of a sidecar: its end would make a pod of production unready. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const SUPERVISE = fileURLToPath(new URL('../../build/trafficcopy-supervise', import.meta.url));

test('a program that was killed is started again', async (t) => {
  const { child, line } = supervise(t, 'echo "pid $$"; exec sleep 600');
  const first = Number((await line(/^pid /)).slice(4));
  process.kill(first, 'SIGKILL');
  await line(/was killed by signal 9: started again in 1 s/);
  const second = Number((await line(/^pid /)).slice(4));
  assert.notEqual(second, first);
  assert.deepEqual(await ended(child, 'SIGTERM'), 0);
});

for (const code of [0, 2]) {
  test(`when the program has ended with code ${code}, it sleeps until it is told to end`, async (t) => {
    const { child, line } = supervise(t, `exit ${code}`);
    await line(new RegExp(`ended with code ${code}: asleep from here on`));
    assert.equal(child.exitCode, null);
    assert.equal(await ended(child, 'SIGTERM'), 0);
  });
}

test('SIGTERM is passed on, and the exit code of the program is its own', async (t) => {
  const { child, line } = supervise(t, 'trap "exit 7" TERM; echo ready; while :; do sleep 0.05; done');
  await line(/^ready$/);
  assert.equal(await ended(child, 'SIGTERM'), 7);
});

test('SIGHUP is passed on and ends nothing', async (t) => {
  const { child, line } = supervise(t, 'trap "echo again" HUP; echo ready; while :; do sleep 0.05; done');
  await line(/^ready$/);
  child.kill('SIGHUP');
  await line(/^again$/);
  assert.equal(child.exitCode, null);
});

test('a program that cannot be run is not tried again', async (t) => {
  const { line } = supervise(t, undefined);
  await line(/cannot run \/no\/such\/program/);
  await line(/ended with code 2: asleep/);
});

/** Runs the shell script (or a program that is not there) under the supervisor. */
function supervise(
  t: TestContext,
  script: string | undefined,
): { child: ChildProcess; line: (pattern: RegExp) => Promise<string> } {
  const program = script === undefined ? ['/no/such/program'] : ['sh', '-c', script];
  // A group of its own, so that nothing of it stays.
  const child = spawn(SUPERVISE, program, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  t.after(() => {
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout!, child.stderr!]) {
    createInterface({ input: stream }).on('line', (text) => {
      lines.push(text);
      for (const wake of waiting) wake();
    });
  }
  const line = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const index = lines.findIndex((text) => pattern.test(text));
      if (index >= 0) return lines.splice(index, 1)[0]!;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          waiting.delete(wake);
          resolve();
        };
        waiting.add(wake);
      });
    }
  };
  return { child, line };
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const exit = once(child, 'exit');
  child.kill(signal);
  const [code] = (await exit) as [number | null];
  return code;
}
