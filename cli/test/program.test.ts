import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const BIN = join(ROOT, 'bin/trafficcopy');
const directory = mkdtempSync(join(tmpdir(), 'trafficcopy-cli-'));
after(() => rmSync(directory, { recursive: true, force: true }));

function run(words: readonly string[], prefix: readonly string[] = []): SpawnSyncReturns<string> {
  const [command, ...rest] = [...prefix, BIN, ...words];
  return spawnSync(command!, rest, { encoding: 'utf8', timeout: 30_000, cwd: directory });
}

function expect(words: readonly string[], status: number, stdout: RegExp, stderr: RegExp): void {
  const result = run(words);
  assert.deepEqual([result.status, result.signal], [status, null], result.stderr);
  assert.match(result.stdout, stdout);
  assert.match(result.stderr, stderr);
}

const NOTHING = /^$/;
const TO_A = ['copy', '-x', '80-10.16.12.11:80'] as const;

describe('trafficcopy', () => {
  it('help and version leave with 0 and write to standard output', () => {
    for (const words of [['-h'], ['--help'], ['help']]) expect(words, 0, /^Usage: trafficcopy COMMAND/, NOTHING);
    for (const words of [
      ['copy', '-h'],
      ['help', 'copy'],
      ['copy', '-p', '1', '--help'],
    ]) {
      expect(words, 0, /^Usage: trafficcopy copy/, NOTHING);
    }
    for (const words of [['-v'], ['--version'], ['version'], ['copy', '-v'], ['intercept', '--version']]) {
      expect(words, 0, /^\d+\.\d+\.\d+\n$/, NOTHING);
    }
  });

  for (const command of ['copy', 'intercept', 'doctor', 'trace']) {
    it(`the help of ${command} is as reviewed (UPDATE_HELP=1 writes it anew)`, () => {
      const path = join(ROOT, 'cli/test/help', `${command}.txt`);
      const { stdout } = run([command, '--help']);
      if (process.env['UPDATE_HELP'] === '1') writeFileSync(path, stdout);
      assert.equal(stdout, readFileSync(path, 'utf8'));
    });
  }

  it('the help of each command ends with two examples that are themselves right', () => {
    for (const command of ['copy', 'intercept', 'doctor', 'trace']) {
      const { stdout } = run([command, '--help']);
      const examples = stdout.slice(stdout.indexOf('Examples:')).match(/^ {4}trafficcopy .*$/gm) ?? [];
      assert.equal(examples.length, 2);
      for (const example of examples) {
        // With -h behind it nothing is started, but the words before it are read.
        const words = example.trim().split(' ').slice(1);
        assert.equal(run([...words, '-h']).status, 0, example);
      }
    }
  });

  it('no command, an unknown one and a flag without command are wrong use', () => {
    expect(
      [],
      2,
      NOTHING,
      /^trafficcopy: a command is missing: expected one of copy, intercept, operator, doctor, trace,.*\n/,
    );
    expect(['intersept'], 2, NOTHING, /^trafficcopy: unknown command 'intersept' \(Did you mean intercept\?\)\n/);
    expect(['nope'], 2, NOTHING, /^trafficcopy: unknown command 'nope'\n/);
    expect(['help', 'coppy'], 2, NOTHING, /unknown command 'coppy' \(Did you mean copy\?\)/);
    expect(['-x', '80-10.0.0.1:80'], 2, NOTHING, /unknown option '-x'\. Flags stand behind a command/);
  });

  it('unknown flags are refused by name with the nearest known one', () => {
    expect(
      [...TO_A, '--metric', '9100'],
      2,
      NOTHING,
      /^trafficcopy copy: unknown option '--metric' \(Did you mean --metrics\?\)\n/,
    );
    expect(['intercept', '--isecure'], 2, NOTHING, /unknown option '--isecure' \(Did you mean --insecure\?\)/);
    expect([...TO_A, '-Z'], 2, NOTHING, /unknown option '-Z'/);
  });

  it('wrong values are refused with what was expected', () => {
    expect(
      ['copy', '-x', '80-80'],
      2,
      NOTHING,
      /-x\/--map: "80-80" does not fit \(the IP address of the target .* is missing\): expected/,
    );
    expect(['copy'], 2, NOTHING, /-x\/--map MAPPING,… is missing: expected/);
    expect([...TO_A, '-p'], 2, NOTHING, /-p\/--port: its value is missing: expected a whole number from 1 to 65535/);
    expect(['intercept', '-p', 'http'], 2, NOTHING, /-p\/--port: "http" does not fit: expected a whole number/);
    expect([...TO_A, 'word'], 2, NOTHING, /too many arguments/);
    expect(['copy', '-d'], 2, NOTHING, /systemd-run/);
  });

  it('wrong use leaves nothing behind, whatever stands before it', () => {
    const files = ['-l', 'a.log', '-P', 'a.pid', '--record', 'a.pcapng', '--summary', 'a.json', '--state', 'state'];
    expect([...TO_A, ...files, '-r', '0'], 2, NOTHING, /-r\/--percent/);
    expect([...TO_A, ...files, '--nonsense'], 2, NOTHING, /--nonsense/);
    expect(['intercept', ...files, '--new-token', '--insecure'], 2, NOTHING, /exclude each other/);
    assert.deepEqual(readdirSync(directory), []);
  });

  it('--config takes flags from a file, and --check says whether all of it is right', () => {
    const file = join(directory, 'a.yaml');
    writeFileSync(file, 'map: 80-10.16.12.11:80\npercent: 10\nmetrics: 9100\n');
    expect(['copy', '--config', file, '--check'], 0, /^All of it is right\./, NOTHING);
    const ramp = ['--config', file, '-g', '1h', '--duration', '5s', '--check'];
    expect(['copy', ...ramp], 0, /^note: -g\/--ramp 1h is longer than.*\nAll of it is right\./, NOTHING);
    writeFileSync(file, 'target: 8080\nmetrics: 9101\n');
    expect([...TO_A, '--credentials', '/dev/null', '--check'], 2, NOTHING, /^trafficcopy copy: --credentials: /);
    expect(['intercept', '--config', file, '--check'], 0, /^All of it is right\./, NOTHING);
    expect(['copy', '--config', file, '--check'], 2, NOTHING, /^trafficcopy copy: .*a\.yaml:1: target: unknown key/);
    writeFileSync(file, 'targer: 8080\n');
    expect(
      ['intercept', '--config', file],
      2,
      NOTHING,
      /^trafficcopy intercept: .*a\.yaml:1: targer: unknown key \(Did you mean target\?\)\n/,
    );
    expect(['doctor', 'intercept', '--config', file], 2, NOTHING, /a\.yaml:1: targer: unknown key/);
    expect(['doctor', 'copy', ...TO_A.slice(1), '--check'], 2, NOTHING, /--check: doctor does nothing else/);
    rmSync(file);
  });

  it('what a user or a file says cannot command the terminal', () => {
    const file = join(directory, 'escape.yaml');
    for (const text of ['map: "80-\\e[31mX\\a"\n', '"ma\\e[31mp\\a": 3\n']) {
      writeFileSync(file, text);
      expect(['copy', '--config', file], 2, NOTHING, /\\x1b\[31m/);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not come out.
      assert.doesNotMatch(run(['copy', '--config', file]).stderr, /[\u001b\u0007]/);
    }
    rmSync(file);
    expect(['copy', '-x', '80-\u001b[31m'], 2, NOTHING, /\\x1b\[31m/);
    expect(['\u001b[31m'], 2, NOTHING, /unknown command '\\x1b\[31m'/);
  });

  it('a filter that does not compile is wrong use', () => {
    expect(
      [...TO_A, '--insecure', '-F', 'tcp and and', '--state', 'state'],
      2,
      NOTHING,
      /^trafficcopy copy: -F\/--filter: /,
    );
  });

  it('a start that fails leaves with 1 and says what to do', async () => {
    const common = ['--insecure', '--duration', '1', '--state', join(directory, 'state')];
    expect([...TO_A, ...common, '-l', 'missing/a.log'], 1, NOTHING, /-l\/--log-file: cannot open missing\/a\.log/);
    expect([...TO_A, ...common, '--record', 'missing/a.pcapng'], 1, /^/, /--record: cannot write missing\/a\.pcapng/);
    expect(
      [...TO_A, ...common, '--summary', 'missing/a.json'],
      1,
      /^/,
      /--summary: missing\/a\.json cannot be written/,
    );
    expect([...TO_A, ...common, '-P', 'missing/a.pid'], 1, /^/, /-P\/--pid-file: cannot write missing\/a\.pid/);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as { port: number };
      for (const command of [TO_A, ['intercept', '-p', '1', '--iptables', 'auto']]) {
        expect(
          [...command, ...common, '--metrics', `${port}`],
          1,
          /^/,
          /--metrics: cannot listen on 127\.0\.0\.1:\d+ \(EADDRINUSE\): the port is in use/,
        );
      }
    } finally {
      server.close();
    }
  });

  it('without the capability it says which one is missing and what to do', () => {
    const drop = ['setpriv', '--bounding-set=-all', '--inh-caps=-all'];
    const copy = run([...TO_A, '--insecure', '--state', 'state'], drop);
    assert.equal(copy.status, 1, copy.stderr);
    assert.match(copy.stderr, /^trafficcopy copy: .*CAP_NET_RAW/m);
    const intercept = run(['intercept', '--insecure', '--state', 'state'], drop);
    assert.equal(intercept.status, 1, intercept.stderr);
    assert.match(intercept.stderr, /^trafficcopy intercept: .*CAP_NET_ADMIN/m);
  });

  it('a reader of the help that goes away is no fault', () => {
    const result = spawnSync(
      'sh',
      ['-c', `"${BIN}" copy --help | head -1; "${BIN}" copy --help >/dev/full; echo "$?"`],
      {
        encoding: 'utf8',
      },
    );
    assert.equal(result.stderr, '');
    assert.match(result.stdout, /^Usage: trafficcopy copy \[flags\]\n/);
  });
});
