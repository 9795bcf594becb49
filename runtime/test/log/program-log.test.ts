import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { formatLogLine, ProgramLog, StartError, StatusLine } from '../../src/index.js';
import { FakeTerminal } from '../kit/fake-terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'trafficcopy-log-'));
after(() => rmSync(directory, { recursive: true, force: true }));

async function eventually(condition: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !condition(); tries += 1) {
    assert.ok(tries < 500, `in 5 s: ${what}`);
    await delay(10);
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

describe('the log', () => {
  it('to a file: one JSON object a line, with time, level, program and fields', async () => {
    const path = join(directory, 'a.log');
    const log = new ProgramLog({
      program: 'copy',
      config: { logFile: path, logLevel: 'info' },
      statusLine: new StatusLine(new FakeTerminal(80).stream),
    });
    log.logger.debug('not this');
    log.logger.info({ lane: 2 }, 'channel is up');
    await log.close();
    const lines = read(path).trimEnd().split('\n');
    assert.equal(lines.length, 1);
    const line = JSON.parse(lines[0]!) as Record<string, unknown>;
    assert.match(String(line['time']), /^\d{4}-\d\d-\d\dT/);
    assert.deepEqual(
      [line['level'], line['program'], line['lane'], line['msg'], line['pid']],
      ['info', 'copy', 2, 'channel is up', process.pid],
    );
  });

  it('gives an error its own message; that of its cause stands beside it', async () => {
    const path = join(directory, 'cause.log');
    const log = new ProgramLog({
      program: 'copy',
      config: { logFile: path, logLevel: 'info' },
      statusLine: new StatusLine(new FakeTerminal(80).stream),
    });
    log.logger.warn(
      { err: new Error('it does not speak TLS', { cause: new Error('0A00010B:SSL routines') }) },
      'refused',
    );
    await log.close();
    const { err } = JSON.parse(read(path)) as { err: { message: string; cause: { message: string } } };
    assert.equal(err.message, 'it does not speak TLS');
    assert.equal(err.cause.message, '0A00010B:SSL routines');
  });

  it('has the stack of an error that nobody foresaw, and none of one that is meant for users', async () => {
    const path = join(directory, 'stack.log');
    const log = new ProgramLog({
      program: 'copy',
      config: { logFile: path, logLevel: 'info' },
      statusLine: new StatusLine(new FakeTerminal(80).stream),
    });
    const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    log.logger.fatal({ err: new StartError('ERR_START_X', 'say --udp-clients there', { cause }) }, 'ends');
    log.logger.fatal({ err: new TypeError('undefined is no function') }, 'ends');
    log.logger.fatal({ err: new assert.AssertionError({ message: 'a fault' }) }, 'ends');
    await log.close();
    const errors = read(path)
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { err: Record<string, unknown> }).err);
    assert.deepEqual(errors[0], {
      type: 'StartError',
      message: 'say --udp-clients there',
      code: 'ERR_START_X',
      exitCode: 1,
      name: 'StartError',
      cause: { type: 'Error', message: 'connect ECONNREFUSED', code: 'ECONNREFUSED' },
    });
    for (const { stack } of errors.slice(1)) assert.match(String(stack), /program-log\.test\.js:\d+/);
  });

  it('SIGHUP opens the file anew, so that it can be moved away', async () => {
    const path = join(directory, 'b.log');
    const log = new ProgramLog({
      program: 'copy',
      config: { logFile: path, logLevel: 'info' },
      statusLine: new StatusLine(new FakeTerminal(80).stream),
    });
    log.logger.info('before');
    await eventually(() => read(path).includes('before'), 'the first line is written');
    renameSync(path, `${path}.1`);
    process.kill(process.pid, 'SIGHUP');
    await eventually(() => read(path).includes('opened anew'), 'the file is there again');
    log.logger.info('after');
    await log.close();
    assert.match(read(path), /"msg":"after"/);
    assert.doesNotMatch(read(`${path}.1`), /"msg":"after"/);
    assert.match(read(`${path}.1`), /"msg":"before"/);
  });

  it('a file that cannot be opened is refused with what to do', () => {
    const open = (): ProgramLog =>
      new ProgramLog({
        program: 'copy',
        config: { logFile: join(directory, 'missing', 'c.log'), logLevel: 'info' },
        statusLine: new StatusLine(new FakeTerminal(80).stream),
      });
    assert.throws(open, (error: unknown) => {
      assert.ok(error instanceof StartError);
      assert.equal(error.code, 'ERR_START_LOG_FILE');
      assert.equal(error.exitCode, 1);
      assert.match(error.message, /-l\/--log-file.*missing\/c\.log.*ENOENT.*directory that exists/);
      return true;
    });
  });

  it('a full disk loses lines and counts them, and is told once; the program goes on and ends', async () => {
    const terminal = new FakeTerminal(200);
    const log = new ProgramLog({
      program: 'copy',
      config: { logFile: '/dev/full', logLevel: 'info' },
      statusLine: new StatusLine(terminal.stream),
    });
    log.logger.info('lost');
    await eventually(() => log.linesDropped > 0, 'the loss is counted');
    log.logger.info('lost as well');
    await log.close();
    assert.equal(log.linesDropped, 2);
    const [line, ...others] = terminal.screen();
    assert.match(line!, /^trafficcopy copy: -l\/--log-file: \/dev\/full could not be written, .*ENOSPC/);
    assert.deepEqual(others, []);
  });

  it('the reason for a failure is on the terminal once, also with a log file or without any log', async () => {
    const path = join(directory, 'last.log');
    for (const [config, line] of [
      [{ logFile: path, logLevel: 'info' }, /^trafficcopy copy: nothing was delivered$/],
      [{ logFile: undefined, logLevel: 'silent' }, /^trafficcopy copy: nothing was delivered$/],
      [{ logFile: undefined, logLevel: 'info' }, /^\d\d:\d\d:\d\d ERROR nothing was delivered$/],
    ] as const) {
      const terminal = new FakeTerminal(100);
      const log = new ProgramLog({ program: 'copy', config, statusLine: new StatusLine(terminal.stream) });
      log.sayLast('nothing was delivered');
      await log.close();
      assert.equal(terminal.screen().length, 1);
      assert.match(terminal.screen()[0]!, line);
    }
    assert.match(read(path), /"level":"error".*"msg":"nothing was delivered"/);
  });

  it('on a terminal: lines for people above the status line', async () => {
    const terminal = new FakeTerminal(60);
    const statusLine = new StatusLine(terminal.stream);
    const log = new ProgramLog({ program: 'copy', config: { logFile: undefined, logLevel: 'info' }, statusLine });
    statusLine.update(['12 sessions']);
    log.logger.warn({ lane: 1 }, 'channel lost');
    await log.close();
    assert.match(terminal.screen()[0]!, /^\d\d:\d\d:\d\d WARN {2}channel lost {2}lane=1$/);
    assert.equal(terminal.screen()[1], '12 sessions');
    statusLine.close();
    assert.equal(terminal.screen().length, 1);
  });

  it('control characters in a line cannot command the terminal', () => {
    const line = formatLogLine(
      JSON.stringify({ level: 'info', msg: 'a\u001b[2Jb\nc\u202ed', name: '\u009b1m' }),
      false,
    );
    assert.match(line, /a\\x1b\[2Jb\\x0ac\\u202ed {2}name=\\x9b1m/);
  });

  it('errors show their message', () => {
    const line = formatLogLine(JSON.stringify({ level: 'error', msg: 'failed', err: { message: 'EPERM' } }), false);
    assert.match(line, /ERROR failed {2}\(EPERM\)$/);
  });
});
