/** A short share of the fuzzing with fresh seeds, everything that broke something once, and the harness itself against targets that are broken. */
import assert from 'node:assert/strict';
import { globSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { keepFailure } from '../src/failure-file.js';
import type { FuzzTarget } from '../src/fuzz-target.js';
import { findTargets, REGRESSIONS_DIRECTORY } from '../src/target-file.js';
import { runTarget } from '../src/target-run.js';

const TARGETS = findTargets();
/** Of all targets together. */
const BUDGET_MS = Number(process.env['TEST_FUZZ_MS'] ?? 6000);
/** Where inputs of this test go: the message says what to do with them. */
const KEPT_DIRECTORY = path.resolve(REGRESSIONS_DIRECTORY, '../../tmp/fuzz');
const SEED = Number(process.env['TEST_SEED'] ?? Date.now()) >>> 0;

describe('a share of the fuzzing', () => {
  it('finds the targets', () => {
    const workspaces = new Set(TARGETS.map(({ name }) => name.split('/')[0]));
    assert.deepEqual([...workspaces], ['core', 'daemonset-intercept', 'operator', 'runtime', 'sidecar-copy']);
  });

  for (const target of TARGETS) {
    it(target.name, async (context: TestContext) => {
      const limits = { inputsMax: Number.POSITIVE_INFINITY, msMax: BUDGET_MS / TARGETS.length };
      const outcome = await runTarget(target, SEED, limits);
      if ('report' in outcome) {
        assert.ok(outcome.report.inputs > 0 && outcome.report.features > 0);
        context.diagnostic(`${outcome.report.inputs} inputs from seed ${SEED}`);
        return;
      }
      const file = keepFailure(KEPT_DIRECTORY, target.name, outcome.failure.input);
      const place = path.join('fuzz/regressions', target.name);
      assert.fail(
        `seed ${SEED}; the input is in ${file}: move it to ${place}, where it is a test\n${outcome.failure.message}`,
      );
    });
  }
});

describe('inputs that broke something once', () => {
  const files = globSync('*/*/*.bin', { cwd: REGRESSIONS_DIRECTORY }).sort();
  for (const file of files) {
    it(file, async () => {
      const target = TARGETS.find(({ name }) => file.startsWith(`${name}/`));
      assert.ok(target !== undefined, 'its target is gone');
      const { default: one } = (await import(target.url)) as { readonly default: FuzzTarget };
      await one.run(new Uint8Array(readFileSync(path.join(REGRESSIONS_DIRECTORY, file))));
    });
  }
});

describe('the harness', () => {
  const broken = (name: string) => ({ name, url: new URL(`./kit/${name}.js`, import.meta.url).href });

  it('finds an input that throws, the same with the same seed', async () => {
    const limits = { inputsMax: 100_000, msMax: 60_000 };
    const [first, second] = [
      await runTarget(broken('throwing'), 5, limits),
      await runTarget(broken('throwing'), 5, limits),
    ];
    assert.ok('failure' in first && 'failure' in second);
    assert.match(first.failure.message, /three octets agree/);
    assert.deepEqual(first.failure.input, second.failure.input);
    const [a, , b] = first.failure.input;
    assert.equal(a, b);
  });

  it('finds what an input leaves behind, and an input that ends the thread', async () => {
    const limits = { inputsMax: 400, msMax: 60_000 };
    const outcome = await runTarget(broken('keeping'), 5, limits);
    assert.match('failure' in outcome ? outcome.failure.message : '', /octets stayed of the inputs/);
    const ended = await runTarget(broken('ending'), 5, { ...limits, inputsMax: 100_000 });
    assert.match('failure' in ended ? ended.failure.message : '', /the thread ended by itself/);
    assert.equal('failure' in ended ? ended.failure.input[0] : 0, 66);
  });

  it('finds an input that takes far too long', async () => {
    const outcome = await runTarget(broken('slow'), 5, { inputsMax: 100_000, msMax: 60_000 });
    assert.match('failure' in outcome ? outcome.failure.message : '', /every time/);
  });

  it('keeps the input of a failure under its hash', () => {
    const directory = fileURLToPath(new URL('../kept', import.meta.url));
    const file = keepFailure(directory, 'core/some', Uint8Array.of(1, 2));
    assert.deepEqual([...readFileSync(file)], [1, 2]);
    assert.equal(keepFailure(directory, 'core/some', Uint8Array.of(1, 2)), file);
    rmSync(directory, { recursive: true });
  });
});
