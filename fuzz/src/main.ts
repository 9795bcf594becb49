/** `scripts/fuzz.sh`: runs the targets one after the other and tells how many inputs each took. */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { keepFailure } from './failure-file.js';
import { findTargets, REGRESSIONS_DIRECTORY, type TargetFile } from './target-file.js';
import { runTarget, type TargetLimits } from './target-run.js';

const USAGE = `usage: scripts/fuzz.sh [--seconds N | --inputs N] [--seed N] [--only WORD]... [--keep DIRECTORY]
  --seconds N       for all targets together (default 60)
  --inputs N        for each target, however long it takes
  --seed N          the same inputs again (default: the time)
  --only WORD       targets with the word in their names
  --keep DIRECTORY  where inputs that break something go (default fuzz/regressions: there they are tests)`;

function wrongUse(message: string): never {
  process.stderr.write(`fuzz: ${message}\n${USAGE}\n`);
  process.exit(2);
}

function numberOf(name: string, text: string | undefined, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= max) || (value === 0 && name !== 'seed'))
    wrongUse(`--${name} ${text}: expected a whole number up to ${max}`);
  return value;
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        seconds: { type: 'string' },
        inputs: { type: 'string' },
        seed: { type: 'string' },
        only: { type: 'string', multiple: true },
        keep: { type: 'string' },
      },
    });
    return values;
  } catch (error) {
    return wrongUse((error as Error).message);
  }
}

const options = readOptions();
const inputs = numberOf('inputs', options.inputs, 1e12);
const seconds = numberOf('seconds', options.seconds, 1e6);
if (inputs !== undefined && seconds !== undefined) wrongUse('--seconds and --inputs: give one of them');
const seed = numberOf('seed', options.seed, 0xffff_ffff) ?? Date.now() >>> 0;
const targets = findTargets().filter(({ name }) => options.only?.some((word) => name.includes(word)) ?? true);
if (targets.length === 0) wrongUse('no target has such a name, or nothing is built');
const limits: TargetLimits = {
  inputsMax: inputs ?? Number.POSITIVE_INFINITY,
  msMax: inputs === undefined ? (1000 * (seconds ?? 60)) / targets.length : Number.POSITIVE_INFINITY,
};

process.stdout.write(`${targets.length} targets, seed ${seed}\n`);
process.stdout.write(row('target', 'inputs', 'inputs/s', 'features', 'slowest ms'));
let [total, totalMs, failures] = [0, 0, 0];
for (const target of targets) await runOne(target);
process.stdout.write(row('all', String(total), rate(total, totalMs), '', ''));
process.exitCode = failures === 0 ? 0 : 1;

async function runOne(target: TargetFile): Promise<void> {
  const outcome = await runTarget(target, seed, limits);
  if ('report' in outcome) {
    const { report } = outcome;
    total += report.inputs;
    totalMs += report.elapsedMs;
    const speed = rate(report.inputs, report.elapsedMs);
    process.stdout.write(
      row(target.name, String(report.inputs), speed, String(report.features), report.slowestMs.toFixed(1)),
    );
    return;
  }
  failures += 1;
  const { message, input } = outcome.failure;
  const file = keepFailure(options.keep ?? REGRESSIONS_DIRECTORY, target.name, input);
  process.stdout.write(`${target.name} FAILED with seed ${seed}: ${path.relative(process.cwd(), file)}\n${message}\n`);
}

function rate(count: number, ms: number): string {
  return String(Math.round((1000 * count) / Math.max(1, ms)));
}

function row(...cells: readonly string[]): string {
  return `${cells.map((cell, index) => (index === 0 ? cell.padEnd(44) : cell.padStart(11))).join('')}\n`;
}
