import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { COPY_COMMAND } from '@trafficcopy/sidecar-copy/config';
import { runProgram } from '../src/program.js';

const directory = mkdtempSync(join(tmpdir(), 'trafficcopy-manual-'));
after(() => rmSync(directory, { recursive: true, force: true }));

async function printed(words: readonly string[], expectedExitCode = 0): Promise<string> {
  let text = '';
  const write = (piece: string): unknown => (text += piece);
  const environment = { SOURCE_DATE_EPOCH: '1764288000' };
  assert.equal(await runProgram(words, environment, { stdout: { write }, stderr: { write } }), expectedExitCode, text);
  return text;
}

function run(command: string, words: readonly string[]): string {
  const environment = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', MANWIDTH: '100', MANROFFOPT: '-c' };
  const result = spawnSync(command, words, { encoding: 'utf8', cwd: directory, timeout: 60_000, env: environment });
  assert.deepEqual([result.status, result.stderr], [0, ''], `${command}: ${result.error?.message ?? result.stdout}`);
  return result.stdout;
}

describe('manual pages', () => {
  before(async () => {
    await printed(['manual', '--directory', directory]);
  });

  it('are there for the program and each of its commands', () => {
    const names = readdirSync(directory);
    for (const name of [
      '',
      '-copy',
      '-intercept',
      '-doctor',
      '-doctor-copy',
      '-doctor-intercept',
      '-trace',
      '-completion',
      '-manual',
    ]) {
      assert.ok(names.includes(`trafficcopy${name}.1`), name);
    }
  });

  it('are what mandoc and man take without a warning', () => {
    for (const name of readdirSync(directory)) {
      assert.equal(run('mandoc', ['-Tlint', '-Wwarning', name]), '');
      const page = run('man', ['--warnings', '--local-file', name]);
      assert.match(page, /^NAME$[\s\S]*^SYNOPSIS$[\s\S]*^DESCRIPTION$[\s\S]*^EXIT STATUS$[\s\S]*^SEE ALSO$/m, name);
    }
  });

  it('have every flag of the table, with its help, default and value', () => {
    // Without justification and hyphens: as the table has it.
    const page = run('sh', ['-c', 'mandoc -Tutf8 -Owidth=990 trafficcopy-copy.1 | col -b -x']);
    interface Named {
      readonly long: string;
      readonly help: string;
      readonly argument?: string;
      readonly bareText?: string;
    }
    const flags: readonly Named[] = Object.values(COPY_COMMAND.flags);
    for (const { long, help, argument, bareText } of flags) {
      const value = bareText === undefined ? ` ${argument}` : ` [${argument}]`;
      const words = `--${long}${argument === undefined ? '' : value}`;
      // The help of a short one begins in its line.
      assert.ok(page.includes(`${words}\n`) || page.includes(`${words}  ${help}`), long);
      assert.ok(page.includes(help), help);
    }
    assert.match(page, /Port of intercept where -s names none \(default: 36524\)\./);
    assert.match(page, /^ {7}limits\.memory\n +The same as maxHeld \(--max-held\)\.$/m);
  });

  it('are the same when they are printed, and each time', async () => {
    assert.equal(await printed(['manual', 'copy']), readFileSync(join(directory, 'trafficcopy-copy.1'), 'utf8'));
    assert.equal(
      await printed(['manual', 'doctor', 'copy']),
      readFileSync(join(directory, 'trafficcopy-doctor-copy.1'), 'utf8'),
    );
    assert.match(await printed(['manual']), /^\.TH TRAFFICCOPY 1 "2025-11-28" /);
  });

  it('of what has none are refused', async () => {
    assert.match(await printed(['manual', 'intersept'], 2), /"intersept" has no page/);
    assert.match(
      await printed(['manual', 'copy', '--directory', directory], 2),
      /--directory is for the pages of all commands/,
    );
    assert.match(
      await printed(['manual', '--directory', join(directory, 'none')], 1),
      /--directory: cannot write .*ENOENT/,
    );
  });
});

describe('a manual page on a terminal', () => {
  let serial = 0;

  /** What is printed, and what each of these programs, which are all there are, was given: as shell text that begins with its own line. */
  async function shown(programs: Readonly<Record<string, string>>): Promise<{ text: string; path: string }> {
    serial += 1;
    const path = join(directory, `bin${serial}`);
    mkdirSync(path);
    for (const [name, script] of Object.entries(programs)) {
      writeFileSync(join(path, name), `#!/bin/sh\necho "$@" > ${path}/${name}.words\n${script}\n`, { mode: 0o755 });
    }
    let text = '';
    const write = (piece: string): unknown => (text += piece);
    const streams = { stdout: { write, isTTY: true }, stderr: { write } };
    assert.equal(await runProgram(['manual', 'copy'], { PATH: path }, streams), 0);
    return { text, path };
  }

  it('is shown by man', async () => {
    const { text, path } = await shown({ man: '/bin/cat > "$(/usr/bin/dirname "$0")/page"', mandoc: '' });
    assert.equal(text, '');
    assert.equal(readFileSync(join(path, 'man.words'), 'utf8'), '-l -\n');
    assert.match(readFileSync(join(path, 'page'), 'utf8'), /^\.TH TRAFFICCOPY\\-COPY 1/m);
    assert.ok(!existsSync(join(path, 'mandoc.words')));
  });

  it('also where its reader has seen enough before the end', async () => {
    assert.equal((await shown({ man: 'exit 0' })).text, '');
  });

  it('is shown by mandoc where man is not there, or knows no -l', async () => {
    assert.equal((await shown({ mandoc: '/bin/cat > /dev/null' })).text, '');
    const { text, path } = await shown({ man: 'exit 1', mandoc: '/bin/cat > /dev/null' });
    assert.equal(text, '');
    assert.equal(readFileSync(join(path, 'mandoc.words'), 'utf8'), '-a\n');
  });

  it('is printed as it is where there is neither', async () => {
    assert.match((await shown({})).text, /^\.TH TRAFFICCOPY\\-COPY 1/m);
  });
});
