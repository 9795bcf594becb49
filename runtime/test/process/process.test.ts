import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { PidFile, StartError, StopRequest } from '../../src/index.js';

const directory = mkdtempSync(join(tmpdir(), 'trafficcopy-pid-'));
after(() => rmSync(directory, { recursive: true, force: true }));

describe('the PID file', () => {
  it('refuses what is no regular file, such as a device that never ends', () => {
    for (const path of ['/dev/zero', directory]) {
      assert.throws(() => new PidFile(path), /-P\/--pid-file: .* is no regular file/);
    }
  });

  it('holds the process id until the end', () => {
    const path = join(directory, 'a.pid');
    const file = new PidFile(path);
    assert.equal(readFileSync(path, 'utf8'), `${process.pid}\n`);
    file.remove();
    assert.equal(existsSync(path), false);
  });

  it('of a dead process is taken over, of a living one is not', () => {
    const path = join(directory, 'b.pid');
    // Larger than any pid_max.
    writeFileSync(path, '99999999\n');
    new PidFile(path).remove();
    writeFileSync(path, `${process.ppid}\n`);
    assert.throws(
      () => new PidFile(path),
      (error: unknown) =>
        error instanceof StartError && error.code === 'ERR_START_PID_FILE' && /is running/.test(error.message),
    );
    assert.equal(readFileSync(path, 'utf8'), `${process.ppid}\n`);
  });

  it('that became another process’s is left alone', () => {
    const path = join(directory, 'c.pid');
    const file = new PidFile(path);
    writeFileSync(path, '1\n');
    file.remove();
    assert.equal(readFileSync(path, 'utf8'), '1\n');
  });
});

describe('the request to stop', () => {
  it('comes from SIGTERM, once', async () => {
    const stop = new StopRequest({ durationMs: undefined, hasLogFile: true });
    assert.equal(stop.reason, undefined);
    process.kill(process.pid, 'SIGTERM');
    assert.equal(await stop.requested, 'SIGTERM');
    process.kill(process.pid, 'SIGINT');
    stop.request('too late');
    assert.equal(stop.reason, 'SIGTERM');
    // The second signal is delivered while there are still listeners.
    await new Promise((resolve) => setImmediate(resolve));
    stop.close();
    assert.equal(process.listenerCount('SIGTERM'), 0);
  });

  it('explains a start that was interrupted, also when its signal comes later; nothing else', async () => {
    const interrupted = new StartError('ERR_START_INTERRUPTED', 'worker 0 was ended by SIGTERM');
    const stop = new StopRequest({ durationMs: undefined, hasLogFile: true });
    const answer = stop.interrupted(interrupted);
    process.kill(process.pid, 'SIGTERM');
    assert.equal(await answer, true);
    assert.equal(await stop.interrupted(new Error('another one')), false);
    stop.close();
    const alone = new StopRequest({ durationMs: undefined, hasLogFile: true });
    assert.equal(await alone.interrupted(interrupted), false);
    alone.close();
  });

  it('comes from the end of the duration', async () => {
    const stop = new StopRequest({ durationMs: 5, hasLogFile: false });
    assert.equal(await stop.requested, 'duration');
    stop.close();
  });

  it('a hang-up without a terminal is ignored, as nohup wants it', async () => {
    const stop = new StopRequest({ durationMs: undefined, hasLogFile: false });
    if (process.stderr.isTTY !== true) {
      const delivered = new Promise<void>((resolve) => process.once('SIGHUP', () => resolve()));
      process.kill(process.pid, 'SIGHUP');
      await delivered;
      assert.equal(stop.reason, undefined);
    }
    stop.close();
  });
});
