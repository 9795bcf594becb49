import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { WorkQueue } from '../../src/traffic-copy/work-queue.js';

const INTERVAL_MS = 200;

/** A queue whose work waits until it is told to end, on a clock that stands still. */
class Workshop {
  readonly begun: string[] = [];
  readonly failures: string[] = [];
  readonly queue: WorkQueue;
  readonly #ends = new Map<string, (error?: Error) => void>();
  nowMs = 0;

  constructor(concurrency = 8) {
    this.queue = new WorkQueue({
      work: (key) =>
        new Promise((resolve, reject) => {
          this.begun.push(key);
          this.#ends.set(key, (error) => (error === undefined ? resolve() : reject(error)));
        }),
      onFailure: (key) => this.failures.push(key),
      concurrency,
      intervalMsMin: INTERVAL_MS,
      now: () => this.nowMs,
      random: () => 0,
    });
    this.queue.start();
  }

  async pass(timeMs: number): Promise<void> {
    this.nowMs += timeMs;
    mock.timers.tick(timeMs);
    await settle();
  }

  async end(key: string, error?: Error): Promise<void> {
    this.#ends.get(key)?.(error);
    await settle();
  }
}

/** Lets promises run that are due. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

describe('work queue', () => {
  const queued = (name: string, test: () => Promise<void>): void => {
    it(name, async () => {
      mock.timers.enable({ apis: ['setTimeout'] });
      try {
        await test();
      } finally {
        mock.timers.reset();
      }
    });
  };

  queued('a key that is added often is worked on once', async () => {
    const shop = new Workshop();
    for (let n = 0; n < 5; n += 1) shop.queue.add('a');
    await shop.pass(0);
    assert.deepEqual(shop.begun, ['a']);
    await shop.end('a');
    await shop.pass(10_000);
    assert.deepEqual(shop.begun, ['a']);
  });

  queued('a key that is added while it is worked on is worked on again afterwards, never twice at a time', async () => {
    const shop = new Workshop();
    shop.queue.add('a');
    await shop.pass(0);
    shop.queue.add('a');
    await shop.pass(1000);
    assert.deepEqual(shop.begun, ['a']);
    await shop.end('a');
    await shop.pass(0);
    assert.deepEqual(shop.begun, ['a', 'a']);
  });

  queued('changes that follow each other closely become one piece of work', async () => {
    const shop = new Workshop();
    shop.queue.add('a');
    await shop.pass(0);
    await shop.end('a');
    shop.queue.add('a');
    await shop.pass(INTERVAL_MS - 1);
    shop.queue.add('a');
    assert.deepEqual(shop.begun, ['a']);
    await shop.pass(1);
    assert.deepEqual(shop.begun, ['a', 'a']);
  });

  queued('no more keys are worked on at a time than allowed, the longest due first', async () => {
    const shop = new Workshop(2);
    for (const key of ['a', 'b', 'c']) shop.queue.add(key);
    await shop.pass(0);
    assert.deepEqual(shop.begun, ['a', 'b']);
    assert.equal(shop.queue.depth, 1);
    await shop.end('b');
    assert.deepEqual(shop.begun, ['a', 'b', 'c']);
  });

  queued('what fails comes back later, and later with every failure', async () => {
    const shop = new Workshop();
    shop.queue.add('a');
    await shop.pass(0);
    const delays: number[] = [];
    for (let n = 0; n < 4; n += 1) {
      await shop.end('a', new Error('no'));
      let waitedMs = 0;
      while (shop.begun.length < n + 2) {
        await shop.pass(50);
        waitedMs += 50;
      }
      delays.push(waitedMs);
    }
    assert.deepEqual(delays, [250, 500, 1000, 2000]);
    assert.equal(shop.failures.length, 4);
  });

  queued('a change does not make what fails come back at once', async () => {
    const shop = new Workshop();
    shop.queue.add('a');
    await shop.pass(0);
    shop.queue.add('a');
    await shop.end('a', new Error('no'));
    await shop.pass(249);
    assert.deepEqual(shop.begun, ['a']);
    await shop.pass(1);
    assert.deepEqual(shop.begun, ['a', 'a']);
  });

  queued('a key for later comes sooner when somebody wants it sooner', async () => {
    const shop = new Workshop();
    shop.queue.addAfter('a', 60_000);
    shop.queue.addAfter('a', 5000);
    shop.queue.addAfter('a', 90_000);
    await shop.pass(4999);
    assert.deepEqual(shop.begun, []);
    await shop.pass(1);
    assert.deepEqual(shop.begun, ['a']);
  });

  queued('stopping waits for what was begun, and begins nothing more', async () => {
    const shop = new Workshop(1);
    shop.queue.add('a');
    shop.queue.add('b');
    await shop.pass(0);
    let isStopped = false;
    void shop.queue.stop().then(() => {
      isStopped = true;
    });
    await settle();
    assert.equal(isStopped, false);
    await shop.end('a');
    assert.equal(isStopped, true);
    await shop.pass(10_000);
    assert.deepEqual(shop.begun, ['a']);
  });
});
