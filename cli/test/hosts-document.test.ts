import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { COPY_COMMAND } from '@trafficcopy/sidecar-copy/config';
import { runProgram } from '../src/program.js';

const DOCUMENT = readFileSync(fileURLToPath(new URL('../../../docs/hosts.md', import.meta.url)), 'utf8');
const directory = mkdtempSync(join(tmpdir(), 'trafficcopy-hosts-'));
after(() => rmSync(directory, { recursive: true, force: true }));

async function check(words: readonly string[]): Promise<string> {
  let text = '';
  const write = (piece: string): unknown => (text += piece);
  const exitCode = await runProgram(words, {}, { stdout: { write }, stderr: { write } });
  assert.equal(exitCode, 0, text);
  return text;
}

describe('docs/hosts.md', () => {
  const examples = [
    ...DOCUMENT.matchAll(/```yaml\n(# \/etc\/trafficcopy\/(copy|intercept)-([\w-]+)\.yaml\n[\s\S]*?)```/g),
  ];

  it('has configuration files of both programs', () => {
    assert.deepEqual([...new Set(examples.map(([, , program]) => program))].sort(), ['copy', 'intercept']);
  });

  for (const [, yaml, program, name] of examples) {
    it(`the configuration ${program}-${name} is right`, async () => {
      const file = join(directory, `${program}-${name}.yaml`);
      writeFileSync(file, yaml!);
      assert.match(await check([program!, '--config', file, '--check']), /^All of it is right/);
    });
  }

  it('names each key of TrafficCopy.spec and its flag', () => {
    const rows = [...DOCUMENT.matchAll(/^\| `([\w.]+)` \| `--([\w-]+)` \|$/gm)].map(
      ([, key, flag]) => `${key} ${flag}`,
    );
    const flags: readonly { readonly specName?: string; readonly long: string }[] = Object.values(COPY_COMMAND.flags);
    const named = flags.flatMap(({ specName, long }) => (specName === undefined ? [] : [`${specName} ${long}`]));
    assert.deepEqual(rows, named.sort());
  });
});
