import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CopyDirectory } from '../../src/workers/copy-directory.js';

const GRACE_MS = 30_000;
const HOST = '10.0.0.2';
const all = (): boolean => true;

describe('which worker gets a connection', () => {
  it('new ones are shared out evenly, also before any has said who it is', () => {
    const directory = new CopyDirectory(3, GRACE_MS);
    const workers = Array.from({ length: 6 }, () => directory.workerFor(HOST, 0, all));
    assert.deepEqual(workers, [0, 1, 2, 0, 1, 2]);
  });

  it('a worker with fewer copies comes first, one that does not run never', () => {
    const directory = new CopyDirectory(3, GRACE_MS);
    directory.connected('a', HOST, 0);
    directory.connected('b', HOST, 1);
    assert.equal(directory.workerFor('10.0.0.9', 0, all), 2);
    assert.equal(
      directory.workerFor('10.0.0.9', 0, (worker) => worker === 1),
      1,
    );
    assert.equal(
      directory.workerFor('10.0.0.9', 0, () => false),
      undefined,
    );
    assert.equal(directory.up, 2);
  });

  it('the workers of one copy are one copy', () => {
    const directory = new CopyDirectory(2, GRACE_MS);
    directory.connected('a', HOST, 0, 'program');
    directory.connected('b', HOST, 1, 'program');
    directory.connected('c', HOST, 1);
    assert.deepEqual([directory.up, directory.copies], [3, 2]);
    directory.disconnected('a', 0, 0);
    assert.deepEqual([directory.up, directory.copies], [2, 2]);
    directory.disconnected('b', 1, 0);
    assert.deepEqual([directory.up, directory.copies], [1, 1]);
  });

  it('a copy that comes back is led to the worker that waits for it', () => {
    const directory = new CopyDirectory(2, GRACE_MS);
    directory.connected('a', HOST, 1);
    directory.disconnected('a', 1, 1000);
    assert.equal(directory.up, 0);
    assert.equal(directory.workerFor('10.0.0.9', 1001, all), 0, 'of another host');
    assert.equal(directory.workerFor(HOST, 1001, all), 1);
    directory.connected('a', HOST, 1);
    assert.deepEqual(directory.seenAt(HOST), { a: 1 });
    assert.equal(directory.up, 1);
  });

  it('while that worker does not run, it has to come again', () => {
    const directory = new CopyDirectory(2, GRACE_MS);
    directory.connected('a', HOST, 1);
    directory.workerDied(1, 1000);
    assert.equal(
      directory.workerFor(HOST, 1001, (worker) => worker === 0),
      undefined,
    );
    assert.equal(directory.workerFor(HOST, 1500, all), 1);
  });

  it('of several copies that are waited for at one host, each has its turn', () => {
    const directory = new CopyDirectory(3, GRACE_MS);
    for (const [key, worker] of [
      ['a', 2],
      ['b', 1],
    ] as const) {
      directory.connected(key, HOST, worker);
      directory.disconnected(key, worker, 10);
    }
    assert.deepEqual([directory.workerFor(HOST, 11, all), directory.workerFor(HOST, 11, all)], [2, 1]);
  });

  it('a copy that was sent away comes to the right worker next, whoever else is waited for', () => {
    const directory = new CopyDirectory(3, GRACE_MS);
    directory.connected('a', HOST, 1);
    directory.disconnected('a', 1, 10);
    directory.connected('b', HOST, 2);
    // Its connection broke without a word: for its worker it is still there.
    directory.sentAway('b', HOST, 2, 20);
    assert.equal(directory.workerFor(HOST, 21, all), 2);
    assert.equal(directory.workerFor(HOST, 21, all), 1, 'the other one');
  });

  it('one that was never connected can be sent away, too (Direct)', () => {
    const directory = new CopyDirectory(2, GRACE_MS);
    assert.equal(directory.workerFor(HOST, 0, all), 0);
    assert.equal(directory.workerFor(HOST, 0, all), 1);
    directory.sentAway('d', HOST, 0, 0);
    assert.equal(directory.workerFor(HOST, 1, all), 0);
    directory.connected('d', HOST, 0);
    assert.equal(directory.up, 1);
  });

  it('after the grace a copy is forgotten', () => {
    const directory = new CopyDirectory(2, GRACE_MS);
    directory.connected('a', HOST, 1);
    directory.disconnected('a', 1, 0);
    assert.equal(directory.workerFor(HOST, GRACE_MS, all), 0);
    assert.deepEqual(directory.seenAt(HOST), {});
  });

  it("an old worker's late word about a copy that is elsewhere changes nothing", () => {
    const directory = new CopyDirectory(2, GRACE_MS);
    directory.connected('a', HOST, 0);
    directory.connected('a', HOST, 1);
    directory.disconnected('a', 0, 5);
    assert.equal(directory.up, 1);
    assert.deepEqual(directory.seenAt(HOST), { a: 1 });
  });

  it('what is remembered is bounded, connected copies stay', () => {
    const directory = new CopyDirectory(2, GRACE_MS);
    directory.connected('kept', HOST, 1);
    for (let copy = 0; copy < 5000; copy += 1) {
      directory.connected(`${copy}`, HOST, 0);
      directory.disconnected(`${copy}`, 0, copy);
    }
    assert.equal(Object.keys(directory.seenAt(HOST)).length, 1024);
    assert.equal(directory.seenAt(HOST)['kept'], 1);
  });
});
