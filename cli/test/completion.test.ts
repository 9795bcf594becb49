import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runProgram } from '../src/program.js';

const KIT = fileURLToPath(new URL('../../test/kit/', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'trafficcopy-completion-'));
after(() => rmSync(directory, { recursive: true, force: true }));
mkdirSync(join(directory, 'log files'));
writeFileSync(join(directory, 'copy.yaml'), '');

async function printed(words: readonly string[], expectedExitCode = 0): Promise<string> {
  let text = '';
  const write = (piece: string): unknown => (text += piece);
  assert.equal(await runProgram(words, {}, { stdout: { write }, stderr: { write } }), expectedExitCode, text);
  return text;
}

async function scriptFor(shell: string): Promise<string> {
  const file = join(directory, `completion.${shell}`);
  writeFileSync(file, await printed(['completion', shell]));
  return file;
}

function run(command: string, words: readonly string[]): string {
  const environment = { PATH: process.env['PATH'], HOME: directory, LC_ALL: 'C.UTF-8', TERM: 'dumb' };
  const result = spawnSync(command, words, { encoding: 'utf8', cwd: directory, timeout: 60_000, env: environment });
  assert.deepEqual([result.status, result.stderr], [0, ''], `${command}: ${result.error?.message ?? result.stdout}`);
  return result.stdout;
}

/** How each shell is run with a file of kit/. */
const SHELLS: Readonly<Record<string, readonly string[]>> = { bash: ['--norc'], zsh: ['-f'], fish: ['-N'] };

/** What `shell` offers for each of these lines. */
function offers(shell: string, script: string, lines: readonly string[]): string[][] {
  const reports = run(shell, [...SHELLS[shell]!, join(KIT, `completions.${shell}`), script, ...lines]).split('\n');
  return reports.map((report) => (report.match(/<[^<>]+>/g) ?? []).map((word) => word.slice(1, -1)));
}

const ROWS: readonly [line: string, offered: readonly string[]][] = [
  ['trafficcopy copy --del', ['--delivery']],
  ['trafficcopy copy --delivery ', ['direct', 'tunnel']],
  ['trafficcopy copy --delivery=t', ['tunnel']],
  ['trafficcopy copy -x 80-10.0.0.1:80 --log-level e', ['error']],
  ['trafficcopy copy -l lo', ['log files']],
  ['trafficcopy intercept --config cop', ['copy.yaml']],
  ['trafficcopy intercept --queue-n', ['--queue-num']],
  ['trafficcopy doctor ', ['copy', 'intercept']],
  ['trafficcopy doctor intercept --ipt', ['--iptables']],
  ['trafficcopy doctor --cl', ['--clients']],
  ['trafficcopy copy --compare --delive', ['--delivery']],
  ['trafficcopy copy --compare=cop', ['copy.yaml']],
  ['trafficcopy completion ', ['bash', 'fish', 'zsh']],
  ['trafficcopy help int', ['intercept']],
];

describe('completion', () => {
  for (const shell of Object.keys(SHELLS)) {
    it(`${shell} loads it, and offers commands, flags, choices and files`, async () => {
      const script = await scriptFor(shell);
      const results = offers(
        shell,
        script,
        ROWS.map(([line]) => line),
      );
      for (const [index, [line, expected]] of ROWS.entries()) {
        // A directory has a slash where the shell has seen that it is one; a shell may offer flags too where a word is expected.
        const offered = results[index]!.map((word) => word.replace(/\/$/, '').replace(/\\ /g, ' '));
        const words = offered
          .filter((word) => !word.startsWith('-') || line.includes(' --') || line.endsWith('-'))
          .sort();
        assert.deepEqual(words, expected, `${line}: ${results[index]!.join(' ')}`);
      }
    });

    it(`${shell} offers every command and every flag of the help`, async () => {
      const script = await scriptFor(shell);
      const helps = await Promise.all(
        [['--help'], ['copy', '--help'], ['doctor', 'intercept', '--help']].map((words) => printed(words)),
      );
      const [root = '', ...commands] = helps;
      const names = [...root.slice(root.indexOf('Commands:')).matchAll(/^ {2}([a-z]+) {2,}/gm)].map(
        ([, name]) => name!,
      );
      const [offered = [], ...flags] = offers(shell, script, [
        'trafficcopy ',
        'trafficcopy copy --',
        'trafficcopy doctor intercept --',
      ]);
      assert.ok(names.length >= 8);
      assert.deepEqual(offered.filter((word) => !word.startsWith('-')).sort(), [...names].sort());
      for (const [index, help] of commands.entries()) {
        const longs = [...help.matchAll(/^ {2}(?: {4}|-., )(--[\w-]+)/gm)].map(([, long]) => long!);
        assert.ok(longs.length > 20);
        assert.deepEqual(flags[index]!.filter((word) => word.startsWith('--')).sort(), [...longs].sort());
      }
    });
  }

  it('the script for bash is one that shellcheck likes', async () => {
    run('shellcheck', ['--shell=bash', await scriptFor('bash')]);
  });

  it('of an unknown shell is refused', async () => {
    assert.match(await printed(['completion', 'tcsh'], 2), /"tcsh" is not known: expected one of bash, zsh, fish/);
    assert.match(await printed(['completion'], 2), /a shell is missing: expected one of bash, zsh, fish/);
  });
});
