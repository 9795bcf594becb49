/** How the program ends a replay that fell short, as a user or a script sees it: exit code, and the last line on standard error. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { type CommandResult, runCommand, TRAFFIC_COPY } from '@trafficcopy/lab';
import { StandTarget } from '../kit/connect-stand.js';
import { RecordedConversations } from '../kit/recorded-conversations.js';

const directory = mkdtempSync(join(tmpdir(), 'replay-ends-'));
after(() => rmSync(directory, { recursive: true }));

const recording = join(directory, 'one.pcap');
const recorded = new RecordedConversations();
recorded.open({ clientPort: 40_000 }).says('one\n').hears(10).closes();
recorded.open({ clientPort: 40_001, family: 6 }).says('two\n').hears(10).closes();
writeFileSync(recording, recorded.file());

interface Ended extends CommandResult {
  readonly lines: readonly string[];
}

async function replay(port: number, words: readonly string[], { from = 80, file = recording } = {}): Promise<Ended> {
  const map = ['-x', `${from}-127.0.0.1:${port}`, '-i', file, '--connect', '-a', 'max'];
  const state = ['--state', join(directory, 'state')];
  const ended = await runCommand(TRAFFIC_COPY, ['copy', ...map, ...state, ...words], { cwd: directory });
  return { ...ended, lines: ended.stderr.trimEnd().split('\n') };
}

async function withTarget(work: (port: number) => Promise<void>): Promise<void> {
  const target = await StandTarget.listen(({ socket, text }) => {
    if (text.endsWith('\n')) socket.write('answer');
  });
  try {
    await work(target.port);
  } finally {
    await target.close();
  }
}

/** A port where nobody listens. */
async function closedPort(): Promise<number> {
  const target = await StandTarget.listen(() => {});
  const { port } = target;
  await target.close();
  return port;
}

function timesSaid(lines: readonly string[], what: RegExp): number {
  return lines.filter((line) => what.test(line)).length;
}

describe('a file that cannot be written to its end', () => {
  for (const flag of ['--compare', '--summary', '--report']) {
    it(`${flag}: told once, the replay goes to its end, exit code 1`, () =>
      withTarget(async (port) => {
        const { status, lines, stdout } = await replay(port, [`${flag}=/dev/full`]);
        assert.equal(status, 1);
        assert.equal(timesSaid(lines, new RegExp(`${flag}.*/dev/full could not be written.*ENOSPC`)), 1);
        assert.match(lines.at(-1)!, new RegExp(`not all that was asked for is there: ${flag} /dev/full`));
        assert.match(stdout, /delivered to targets +│ +1 /);
      }));
  }

  it('with a log file the reason is on standard error, too', () =>
    withTarget(async (port) => {
      const { status, stderr } = await replay(port, ['--summary=/dev/full', '-l', 'a.log']);
      assert.equal(status, 1);
      assert.match(stderr, /^trafficcopy copy: not all that was asked for is there: --summary \/dev\/full .*\n$/);
      assert.match(readFileSync(join(directory, 'a.log'), 'utf8'), /not all that was asked for is there/);
    }));

  it('the log: told once on standard error, and no failure', () =>
    withTarget(async (port) => {
      const { status, stderr } = await replay(port, ['-l', '/dev/full']);
      assert.equal(status, 0);
      assert.match(stderr, /^trafficcopy copy: -l\/--log-file: \/dev\/full could not be written, .*ENOSPC[^\n]*\n$/);
    }));
});

describe('a replay of which nothing arrived', () => {
  it('nobody listens at the target: exit code 1, and why', async () => {
    const { status, lines } = await replay(await closedPort(), []);
    assert.equal(status, 1);
    assert.match(
      lines.at(-1)!,
      /nothing was delivered: of 1 request none arrived: targetRefused 1 \(nothing listens at the target\)/,
    );
  });

  it('no connection was chosen: exit code 1, and why', () =>
    withTarget(async (port) => {
      const { status, lines } = await replay(port, ['-r', '0.0001']);
      assert.equal(status, 1);
      assert.match(lines.at(-1)!, /nothing was delivered: of 1 connection none brought a request.*\(not chosen.*: 1\)/);
    }));

  it('nothing fits -x: exit code 1, and the servers that the file has', async () => {
    const { status, lines } = await replay(1, [], { from: 81 });
    assert.equal(status, 1);
    assert.match(lines.at(-1)!, /of 10 frames none was sent to a port of -x: 10 of other ports/);
    assert.match(lines.at(-1)!, / \d+\.\d+\.\d+\.\d+:80 \(5 packets\), \[[0-9a-f:]+\]:80 \(5 packets\): expected one/);
    assert.doesNotMatch(lines.at(-1)!, /, 0 /);
  });

  it('a device is no capture file: refused before anything is opened', async () => {
    const { status, stderr } = await replay(1, [], { file: '/dev/zero' });
    assert.equal(status, 1);
    assert.match(stderr, /^trafficcopy copy: -i \/dev\/zero: it cannot be replayed: it is a device; expected[^\n]*\n$/);
  });

  it('a pipe with something else in it: one error', async () => {
    const words = ['copy', '-x', '80-127.0.0.1:1', '-i', '-', '--connect', '--state', join(directory, 'state')];
    const { status, stderr } = await runCommand(TRAFFIC_COPY, words, { input: '\0'.repeat(1000) });
    const lines = stderr.trimEnd().split('\n');
    assert.equal(status, 1);
    assert.match(lines.at(-1)!, /"level":"error".*-i -: it cannot be replayed: unknown file format; expected/);
    assert.equal(timesSaid(lines, /"level":"(error|warn)"/), 1);
  });
});
