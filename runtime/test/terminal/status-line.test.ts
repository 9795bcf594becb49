import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import type { WriteStream } from 'node:tty';
import { StatusLine } from '../../src/index.js';
import { FakeTerminal } from '../kit/fake-terminal.js';

describe('the status line', () => {
  it('is one line that updates, and is gone after the end', (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const terminal = new FakeTerminal(80);
    const line = new StatusLine(terminal.stream);
    line.update(['1 session', '10 requests/s']);
    assert.deepEqual(terminal.screen(), ['1 session  10 requests/s']);
    context.mock.timers.tick(200);
    line.update(['2 sessions', '20 requests/s']);
    context.mock.timers.tick(200);
    assert.deepEqual(terminal.screen(), ['2 sessions  20 requests/s']);
    line.close();
    assert.deepEqual(terminal.screen(), []);
    line.update(['3 sessions']);
    assert.deepEqual(terminal.screen(), []);
  });

  it('is not redrawn more often than every 200 ms, and shows the last of what it was given', (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const terminal = new FakeTerminal(80);
    const line = new StatusLine(terminal.stream);
    for (let count = 0; count < 100; count += 1) line.update([`${count} sessions`]);
    assert.equal(terminal.writes.length, 1);
    assert.deepEqual(terminal.screen(), ['0 sessions']);
    context.mock.timers.tick(200);
    assert.equal(terminal.writes.length, 2);
    assert.deepEqual(terminal.screen(), ['99 sessions']);
    line.close();
  });

  it('leaves out the less important parts on a narrow terminal, and cuts the first', () => {
    const terminal = new FakeTerminal(20);
    const line = new StatusLine(terminal.stream);
    line.update(['1234567890', 'abcdefg', 'too much']);
    assert.deepEqual(terminal.screen(), ['1234567890  abcdefg']);
    line.close();
    const narrow = new FakeTerminal(6);
    const cut = new StatusLine(narrow.stream);
    cut.update(['1234567890', 'a']);
    assert.deepEqual(narrow.screen(), ['12345']);
    cut.close();
  });

  it('stays below lines that are written meanwhile', async () => {
    const terminal = new FakeTerminal(80);
    const line = new StatusLine(terminal.stream);
    line.update(['status']);
    line.writeLine('first');
    line.writeLine('second');
    await Promise.resolve();
    assert.deepEqual(terminal.screen(), ['first', 'second', 'status']);
    line.close();
    assert.deepEqual(terminal.screen(), ['first', 'second']);
  });

  it('does not show again what the line above it says is over', async () => {
    const terminal = new FakeTerminal(80);
    const line = new StatusLine(terminal.stream);
    line.update(['ramp 99 %']);
    const drawn = terminal.writes.length;
    line.writeLine('the ramp is over');
    line.update(['1 session']);
    await Promise.resolve();
    assert.deepEqual(terminal.screen(), ['the ramp is over', '1 session']);
    assert.doesNotMatch(terminal.writes.slice(drawn).join(''), /99/);
    line.close();
  });

  it('a line longer than the terminal is wide is not broken by us', async () => {
    const terminal = new FakeTerminal(10);
    const line = new StatusLine(terminal.stream);
    line.update(['status']);
    line.writeLine('longer than ten columns');
    await Promise.resolve();
    assert.deepEqual(terminal.screen(), ['longer than ten columns', 'status']);
    line.close();
  });

  it('a terminal that does not know its size is taken for 80 columns', () => {
    const terminal = new FakeTerminal(0);
    const line = new StatusLine(terminal.stream);
    line.writeLine('first');
    line.update(['status', 'more']);
    assert.deepEqual(terminal.screen(), ['first', 'status  more']);
    line.close();
  });

  it('writes nothing where there is no terminal', () => {
    let written = '';
    const pipe = new Writable({
      write(chunk: Buffer, _encoding, done): void {
        written += chunk.toString();
        done();
      },
    }) as unknown as WriteStream;
    const line = new StatusLine(pipe);
    assert.equal(line.isTerminal, false);
    line.update(['status']);
    line.close();
    assert.equal(written, '');
  });
});
