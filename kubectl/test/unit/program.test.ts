import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { Output } from '../../src/output.js';
import { runPlugin } from '../../src/program.js';

class Recorded implements Output {
  readonly results: string[] = [];
  readonly notes: string[] = [];
  readonly isTerminal = false;
  readonly columns = 100;
  result(text: string): void {
    this.results.push(text);
  }
  note(text: string): void {
    this.notes.push(text);
  }
  progress(): void {}
  endProgress(): void {}
}

async function run(...words: string[]): Promise<{ code: number; results: string; notes: string }> {
  const output = new Recorded();
  const code = await runPlugin(words, {}, output);
  return { code, results: output.results.join('\n'), notes: output.notes.join('\n') };
}

describe('kubectl trafficcopy', () => {
  for (const [words, said] of [
    [[], /a command is missing: expected start, status, stop or doctor/],
    [['strat'], /unknown command 'strat'.*start/],
    [['start', '--to', 'deploy/b', '-p', '80'], /--from is missing/],
    [['start', '--from', 'deploy/a', '-p', '80'], /--to .*missing/],
    [['start', '--from', 'deploy/a', '--to', 'deploy/b'], /-p\/--port .*missing/],
    [['start', '--from', 'pod/a', '--to', 'deploy/b', '-p', '80'], /--from: "pod\/a" does not fit/],
    [['start', '--from', 'deploy/a', '--to', 'deploy/b', '-p', '80', '-r', '101'], /-r\/--percent: "101"/],
    [['stop'], /a name is missing/],
    [['status', 'a', 'b'], /too many arguments/],
  ] as const) {
    it(`«${words.join(' ')}» is refused by name`, async () => {
      const { code, notes } = await run(...words);
      assert.equal(code, 2, notes);
      assert.match(notes, said);
    });
  }

  it('help has every command and the flags of each', async () => {
    const { code, results } = await run('--help');
    assert.equal(code, 0);
    for (const name of ['start', 'status', 'stop', 'doctor']) {
      assert.match(results, new RegExp(`^ +${name} `, 'm'));
      assert.match((await run(name, '--help')).results, /--kubeconfig FILE/);
    }
  });

  it('a context that is not there is answered with those that are', async (context) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'kubectl-trafficcopy-'));
    context.after(() => rmSync(folder, { recursive: true }));
    const file = path.join(folder, 'config');
    const text = `apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]\nusers: [{name: u, user: {}}]\ncontexts: [{name: here, context: {cluster: c, user: u}}]\ncurrent-context: here\n`;
    writeFileSync(file, text);
    const wrong = await run('status', '--kubeconfig', file, '--context', 'there');
    assert.equal(wrong.code, 1);
    assert.match(wrong.notes, /no context "there"; known: here/);
    const unreachable = await run('status', '--kubeconfig', file);
    assert.equal(unreachable.code, 1);
    assert.match(unreachable.notes, /API server of context "here" did not answer/);
  });
});
