/** What the compiler and the linter do not enforce about the tree (CONTRIBUTING.md). */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../..');
const FILES = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' })
  .split('\n')
  .filter((file) => file.endsWith('.ts') && existsSync(path.join(ROOT, file)));

/** Workspaces, and those that each may import besides itself. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  core: [],
  fuzz: [],
  native: ['core'],
  runtime: ['core'],
  lab: ['core'],
  'sidecar-copy': ['core', 'native', 'runtime'],
  'daemonset-intercept': ['core', 'native', 'runtime'],
  operator: ['core', 'runtime'],
  cli: ['core', 'runtime', 'sidecar-copy', 'daemonset-intercept', 'operator'],
  kubectl: ['core', 'runtime', 'operator'],
  charts: ['operator'],
  bench: ['core', 'lab', 'runtime'],
  e2e: ['core', 'runtime', 'operator', 'lab'],
};

/** The adapters: nothing else in the programs talks to native code. */
const NATIVE_ADAPTERS =
  /^(sidecar-copy\/src\/(capture|sink)\/|sidecar-copy\/src\/offline\/(capture-file|recording-reader)|sidecar-copy\/src\/copy-edges|sidecar-copy\/src\/connect\/unacknowledged|daemonset-intercept\/src\/(injector|responses)\/|daemonset-intercept\/src\/rules\/namespace-access|(daemonset-intercept|sidecar-copy)\/src\/(main|program-memory|start-failure)\.ts)/;

function importsOf(file: string): string[] {
  const text = readFileSync(path.join(ROOT, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]!);
}

describe('the tree', () => {
  it('has sources to look at', () => {
    assert.ok(FILES.length > 100, `${FILES.length} files`);
  });

  it('names files as kebab-case nouns, none of them a drawer', () => {
    const bad = FILES.filter((file) => {
      const name = path.basename(file).replace(/(\.test|\.d)?\.ts$/, '');
      return !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name) || /^(utils?|helpers?|types?|common|misc|shared)$/.test(name);
    });
    assert.deepEqual(bad, []);
  });

  it('imports only downwards', () => {
    const bad: string[] = [];
    for (const file of FILES) {
      const [workspace] = file.split('/');
      const isTest = file.split('/')[1] === 'test';
      const isProgram = file.split('/')[1] === 'src' && workspace !== 'bench';
      for (const imported of importsOf(file)) {
        const target = /^@trafficcopy\/([a-z-]+)/.exec(imported)?.[1];
        if (target === undefined || target === workspace) continue;
        if (isProgram && imported.startsWith('@trafficcopy/core/kit/')) bad.push(`${file} imports ${imported}`);
        const allowed = MAY_IMPORT[workspace!] ?? [];
        if (!allowed.includes(target) && !(isTest && ['fuzz', 'lab', 'core', 'native', 'runtime'].includes(target))) {
          bad.push(`${file} imports ${imported}`);
        }
      }
    }
    assert.deepEqual(bad, []);
  });

  it('keeps Node, clocks and randomness out of core/src', () => {
    const bad = FILES.filter((file) => file.startsWith('core/src/')).filter((file) => {
      const text = readFileSync(path.join(ROOT, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      return /\bDate\b|Math\.random|performance\.|\bprocess\b|'node:|setTimeout|console\./.test(text);
    });
    assert.deepEqual(bad, []);
  });

  it('talks to native code through its adapters only', () => {
    const bad = FILES.filter((file) => /^(sidecar-copy|daemonset-intercept)\/src\//.test(file))
      .filter((file) => importsOf(file).includes('@trafficcopy/native'))
      .filter((file) => !NATIVE_ADAPTERS.test(file));
    assert.deepEqual(bad, []);
  });

  it('compares sequence numbers through seq.ts only', () => {
    const names = '(sndUna|sndNxt|rcvNxt|segSeq|segAck|segEnd|iss|irs)';
    const pattern = new RegExp(`\\b${names}\\b\\s*(<|>|<=|>=)\\s|\\s(<|>|<=|>=)\\s*\\b${names}\\b`);
    const bad = FILES.filter((file) => file.startsWith('core/src/') && !file.endsWith('/seq.ts')).filter((file) =>
      pattern.test(readFileSync(path.join(ROOT, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')),
    );
    assert.deepEqual(bad, []);
  });
});
