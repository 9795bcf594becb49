import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { StartError } from '../../src/errors/start-error.js';
import { UsageError } from '../../src/errors/usage-error.js';
import { WorkerPool } from '../../src/workers/worker-pool.js';
import { fileOfWorker } from '../../src/workers/worker-process.js';
import type { CountingSettings } from '../kit/counting-worker.js';

const MODULE = new URL('../kit/counting-worker.js', import.meta.url);

const pools: WorkerPool[] = [];
after(() => {
  for (const pool of pools) pool.kill();
});

/** A pool of real processes, with what it says and what happens to it. */
function poolOf(workers: number, failure: (worker: number, start: number) => string = () => '', module = MODULE) {
  const lines: Record<string, unknown>[] = [];
  const events = new EventEmitter();
  const writeLine = (line: string): void => {
    lines.push(JSON.parse(line));
    events.emit('line');
  };
  const starts = new Array<number>(workers).fill(0);
  const pool = new WorkerPool({
    module,
    workers,
    log: { logger: pino({ level: 'info' }, { write: writeLine }), writeLine },
    settings: (worker): CountingSettings => {
      starts[worker]! += 1;
      return {
        program: 'test',
        worker,
        logLevel: 'info',
        failure: failure(worker, starts[worker]!),
        bytes: Uint8Array.of(worker, 10),
      };
    },
    handlers: { times: (worker, count: number) => (worker + 2) * count },
    onUp: (worker) => events.emit('up', worker),
    onDeath: (worker) => events.emit('death', worker),
  });
  pools.push(pool);
  const line = async (text: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const found = lines.find(({ msg }) => String(msg).includes(text));
      if (found !== undefined) return found;
      await once(events, 'line');
    }
  };
  return { pool, lines, events, line };
}

function pidOf(lines: readonly Record<string, unknown>[], worker: number): number {
  return Number(lines.find((line) => line['worker'] === worker)?.['pid']);
}

describe('a pool of workers', () => {
  it('each worker gets its settings, is told, asked, and asks', async () => {
    const { pool, lines } = poolOf(2);
    await pool.open();
    assert.equal(pool.up, 2);
    assert.ok(pool.tell(1, 'add', 5));
    assert.deepEqual((await pool.askAll<number>('sum', 10_000)).sort(), [
      [0, 10],
      [1, 16],
    ]);
    assert.equal(await pool.ask(1, 'double', 7), 21);
    await assert.rejects(pool.ask(0, 'refuse'), /no/);
    await pool.end();
    assert.equal(pool.up, 0);
    const ends = lines.filter(({ msg }) => String(msg).startsWith('ends'));
    assert.deepEqual(ends.map(({ worker, msg, program }) => [worker, msg, program]).sort(), [
      [0, 'ends with 10', 'test'],
      [1, 'ends with 16', 'test'],
    ]);
  });

  for (const [how, kind, body] of [
    ['killed', 'kill', undefined],
    ['that exits', 'exit', 3],
    ['with a fault', 'fault', undefined],
  ] as const) {
    it(`a worker ${how} is started again, and the other keeps what it has`, async () => {
      const { pool, events, line, lines } = poolOf(2);
      await pool.open();
      pool.tell(1, 'add', 5);
      const death = once(events, 'death');
      const asked = pool.ask(0, 'silent');
      const up = once(events, 'up');
      if (kind === 'kill') process.kill(pidOf(lines, 0), 'SIGKILL');
      else pool.tell(0, kind, body);
      assert.deepEqual(await death, [0]);
      await assert.rejects(asked, /has gone/);
      assert.equal(pool.tell(0, 'add', 1), false, 'nobody is there');
      assert.deepEqual(await up, [0]);
      await line('worker 0 is back');
      assert.equal(pool.restarts, 1);
      assert.equal(await pool.ask(0, 'sum'), 10, 'a new one');
      assert.equal(await pool.ask(1, 'sum'), 16);
      await pool.end();
    });
  }

  it('what all of them notice is said by the first, and by another when that is dead', async () => {
    const { pool, lines, events, line } = poolOf(2);
    await pool.open();
    await pool.ask(0, 'notice', 'first');
    await pool.ask(1, 'notice', 'not said');
    await pool.ask(0, 'notice', 'again');
    const death = once(events, 'death');
    pool.tell(0, 'exit', 3);
    await death;
    await pool.ask(1, 'notice', 'of the other');
    await line('of the other');
    const said = lines.filter(({ level }) => level === 40);
    assert.deepEqual(
      said.map(({ msg }) => msg),
      ['first', 'again', 'of the other'],
    );
    await pool.end();
  });

  it('one that cannot start ends them all, with its reason as the error that it is', async () => {
    const { pool } = poolOf(2, (worker) => (worker === 1 ? 'there is no such device' : ''));
    await assert.rejects(pool.open(), (error: unknown) => {
      assert.ok(error instanceof UsageError);
      assert.equal(error.message, 'there is no such device');
      return true;
    });
    assert.equal(pool.restarts, 0);
  });

  it('one that a signal for the whole program ends at its start is no fault', async () => {
    const { pool } = poolOf(2, undefined, new URL('../kit/interrupted-worker.js', import.meta.url));
    await assert.rejects(pool.open(), (error: unknown) => {
      assert.ok(error instanceof StartError);
      assert.equal(error.code, 'ERR_START_INTERRUPTED');
      assert.match(error.message, /^worker \d was ended by SIGTERM before it had started$/);
      return true;
    });
  });

  it('a worker that does not answer in time is left out', async () => {
    const { pool } = poolOf(2);
    await pool.open();
    assert.deepEqual(await pool.askAll('silent', 50), []);
    await pool.end();
  });

  it('one that cannot start again is tried again', async () => {
    const { pool, line } = poolOf(1, (_worker, start) => (start === 2 ? 'not now' : ''));
    await pool.open();
    pool.tell(0, 'exit', 1);
    await line('worker 0 is back');
    assert.equal(pool.restarts, 1);
    await pool.end();
  });
});

describe('the workers of a program that is killed', () => {
  it('end by themselves', async () => {
    const program = spawn(process.execPath, [fileURLToPath(new URL('../kit/pool-program.js', import.meta.url))], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pids: number[] = [];
    for await (const line of createInterface({ input: program.stdout })) {
      pids.push(Number((JSON.parse(line) as { pid: number }).pid));
      if (pids.length === 2) program.kill('SIGKILL');
    }
    // The pipe ends when the last process that holds it has ended, and the workers hold it too: they are gone.
    assert.equal(pids.length, 2);
  });
});

describe('the files of workers', () => {
  it('have the number before their extension', () => {
    assert.equal(fileOfWorker('/tmp/a.b/out.pcapng', 3), '/tmp/a.b/out.3.pcapng');
    assert.equal(fileOfWorker('out', 0), 'out.0');
  });
});
